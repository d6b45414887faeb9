import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { IOptions } from 'etcd3';
import type { EtcdTestTls } from 'nestjs-etcd-trigger/testing';
import { type Certificates, createCertificates } from '../../support/certificates.js';
import { eventually } from '../../support/eventually.js';
import { TemporaryFolder } from '../../support/temporary-folder.js';
import { DirectMember } from './direct-member.js';

const ROOT = { username: 'root', password: 'root-password' };
const APP = { username: 'app', password: 'app-password' };
/** Lifetime of an unused token. */
const TOKEN_TTL_S = 2;
const REQUEST_TIMEOUT_MS = 30_000;

/** TLS, a user with access to a single prefix, and tokens with a short lifetime. */
export class SecuredAccess {
  static readonly args = ['--auth-token=simple', `--auth-token-ttl=${TOKEN_TTL_S}`];
  readonly #folder: TemporaryFolder;
  readonly #certificates: Certificates;
  readonly #authority: Buffer;
  #isRenewed = false;

  private constructor(folder: TemporaryFolder, certificates: Certificates, authority: Buffer) {
    this.#folder = folder;
    this.#certificates = certificates;
    this.#authority = authority;
  }

  static async create(): Promise<SecuredAccess> {
    const folder = await TemporaryFolder.create('etcd-lab');
    const certificates = await createCertificates(folder.path);
    const access = new SecuredAccess(folder, certificates, await readFile(certificates.ca));
    await access.#serve(certificates.server);
    return access;
  }

  /** TLS files of the members. `renew()` replaces their contents. */
  get tls(): EtcdTestTls {
    return {
      ca: this.#certificates.ca,
      cert: join(this.#folder.path, 'served.pem'),
      key: join(this.#folder.path, 'served-key.pem'),
    };
  }

  /** Client options of the application. */
  get app(): Pick<IOptions, 'auth' | 'credentials'> {
    return { auth: APP, ...this.#trust };
  }

  /** Client options of the laboratory. */
  get root(): Pick<IOptions, 'auth' | 'credentials'> {
    return { auth: ROOT, ...this.#trust };
  }

  /** Enables authentication. */
  async enable(endpoint: string, prefix: string): Promise<void> {
    const member = new DirectMember({ hosts: endpoint, ...this.#trust });
    const [key, range_end] = [Buffer.from(prefix), Buffer.from(`${prefix.slice(0, -1)}0`)];
    for (const { username: name, password } of [ROOT, APP]) {
      await member.call('Auth', 'RoleAdd', { name }, REQUEST_TIMEOUT_MS);
      await member.call('Auth', 'UserAdd', { name, password }, REQUEST_TIMEOUT_MS);
      await member.call('Auth', 'UserGrantRole', { user: name, role: name }, REQUEST_TIMEOUT_MS);
    }
    await member.call(
      'Auth',
      'RoleGrantPermission',
      { name: 'app', perm: { permType: 'Readwrite', key, range_end } },
      REQUEST_TIMEOUT_MS,
    );
    await member.call('Auth', 'AuthEnable', {}, REQUEST_TIMEOUT_MS);
    member.close();
  }

  /** Resolves when a token that was issued now has expired; by then all older unused tokens have expired too. */
  async waitForTokenExpiry(endpoint: string): Promise<void> {
    const member = new DirectMember({ hosts: endpoint, ...this.#trust });
    const { token } = await member.call<{ token: string }>('Auth', 'Authenticate', {
      name: ROOT.username,
      password: ROOT.password,
    });
    await eventually(
      async () => {
        // The check itself uses the token and would extend its lifetime, so it is rare.
        await sleep(TOKEN_TTL_S * 1_500);
        return member.rejectsToken(token);
      },
      { withinMs: 60_000 },
    );
    member.close();
  }

  /** Resolves when new connections receive the other certificate. */
  async renew(port: number): Promise<void> {
    const before = await this.#fingerprintAt(port);
    this.#isRenewed = !this.#isRenewed;
    await this.#serve(this.#isRenewed ? this.#certificates.renewed : this.#certificates.server);
    await eventually(async () => (await this.#fingerprintAt(port)) !== before);
  }

  async remove(): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }

  get #trust(): Pick<IOptions, 'credentials'> {
    return { credentials: { rootCertificate: this.#authority } };
  }

  async #serve({ cert, key }: { readonly cert: string; readonly key: string }): Promise<void> {
    await copyFile(cert, this.tls.cert);
    await copyFile(key, this.tls.key);
  }

  #fingerprintAt(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: this.#authority }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  }
}
