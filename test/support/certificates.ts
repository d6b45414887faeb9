import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  cryptoProvider,
  type X509Certificate,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Certificates for tests of TLS, as files in one folder. */
export interface Certificates {
  readonly ca: string;
  /** Server certificate for 127.0.0.1 and localhost. It also allows client use, because etcd connects to itself. */
  readonly server: CertificateFiles;
  /** A second server certificate of the same authority. */
  readonly renewed: CertificateFiles;
  /** Client certificate with CN=client. */
  readonly client: CertificateFiles;
  /** Client certificate that expired yesterday. */
  readonly expired: CertificateFiles;
  /** Server certificate that expired yesterday. */
  readonly expiredServer: CertificateFiles;
  /** Authority that signed none of the certificates above. */
  readonly otherCa: string;
  /** Client certificate signed by the other authority. */
  readonly stranger: CertificateFiles;
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** Creates new certificates in a folder. */
export async function createCertificates(folder: string): Promise<Certificates> {
  cryptoProvider.set(webcrypto);
  const authority = await createAuthority('test authority');
  const other = await createAuthority('other authority');
  return {
    ca: await write(folder, 'ca.pem', authority.certificate.toString('pem')),
    server: await issue(folder, authority, 'server', { names: true }),
    renewed: await issue(folder, authority, 'server', { file: 'renewed', names: true }),
    client: await issue(folder, authority, 'client'),
    expired: await issue(folder, authority, 'client', { file: 'expired', until: Date.now() - DAY_MS }),
    expiredServer: await issue(folder, authority, 'server', {
      file: 'expired-server',
      names: true,
      until: Date.now() - DAY_MS,
    }),
    otherCa: await write(folder, 'other-ca.pem', other.certificate.toString('pem')),
    stranger: await issue(folder, other, 'client', { file: 'stranger' }),
  };
}

async function createAuthority(name: string): Promise<Authority> {
  const keys = await createKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(Date.now() + DAY_MS),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, keys };
}

async function issue(
  folder: string,
  authority: Authority,
  commonName: string,
  { file = commonName, names = false, until = Date.now() + DAY_MS } = {},
): Promise<CertificateFiles> {
  const keys = await createKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: authority.certificate.subject,
    signingKey: authority.keys.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    ...validity(until),
    extensions: [
      new ExtendedKeyUsageExtension([...(names ? [ExtendedKeyUsage.serverAuth] : []), ExtendedKeyUsage.clientAuth]),
      ...(names
        ? [
            new SubjectAlternativeNameExtension([
              { type: 'ip', value: '127.0.0.1' },
              { type: 'dns', value: 'localhost' },
            ]),
          ]
        : []),
    ],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return {
    cert: await write(folder, `${file}.pem`, certificate.toString('pem')),
    key: await write(folder, `${file}-key.pem`, key),
  };
}

function createKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function validity(until: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(until - 10 * DAY_MS), notAfter: new Date(until) };
}

async function write(folder: string, name: string, pem: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, pem);
  return path;
}
