import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TemporaryFolder } from './temporary-folder.js';

const run = promisify(execFile);

/** A program that has not ended by then is killed, and its call rejects. */
const RUN_TIMEOUT_MS = 300_000;
const NPM = ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund'];

/** Returns the dependencies of an application on a major version of Nest. */
export const nestDependencies = (major: string): Record<string, string> => ({
  '@nestjs/common': `^${major}`,
  '@nestjs/core': `^${major}`,
  '@nestjs/platform-express': `^${major}`,
  '@nestjs/platform-fastify': `^${major}`,
  '@nestjs/testing': `^${major}`,
  'class-transformer': '^0.5.1',
  'class-validator': '^0.15.1',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.2',
});

export interface ConsumerProjectOptions {
  /** Properties of `package.json`. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Files that exist before the installation. */
  readonly files?: Readonly<Record<string, string>>;
  /** The command of a package manager. */
  readonly install?: readonly string[];
  /** False for a project without the packed tarball, to compare with. */
  readonly hasTarball?: boolean;
}

/** The project of an application in which the packed tarball is installed. */
export class ConsumerProject implements AsyncDisposable {
  private constructor(
    private readonly temporary: TemporaryFolder,
    readonly folder: string,
  ) {}

  /** Creates an empty project, and installs its dependencies with npm or with another package manager. */
  static async create(
    dependencies: Readonly<Record<string, string>>,
    { manifest = {}, files = {}, install = NPM, hasTarball = true }: ConsumerProjectOptions = {},
  ): Promise<ConsumerProject> {
    const temporary = await TemporaryFolder.create('consumer');
    const project = new ConsumerProject(temporary, temporary.path);
    const tarball = hasTarball ? { 'nestjs-etcd-trigger': `file:${await project.pack()}` } : {};
    await project.write({
      ...files,
      'package.json': JSON.stringify({
        private: true,
        overrides: { 'file-type': '21.3.4' },
        ...manifest,
        dependencies: { ...dependencies, ...tarball },
      }),
    });
    await project.#exec(install);
    return project;
  }

  /** Creates the application of `nest new`, and installs the package with the command of the README. */
  static async fromTemplate(nest: string, packages: readonly string[]): Promise<ConsumerProject> {
    const temporary = await TemporaryFolder.create(`nest-${nest}`);
    const project = new ConsumerProject(temporary, join(temporary.path, 'app'));
    const options = ['--package-manager', 'npm', '--skip-git', '--skip-install'];
    await run('npx', ['--yes', `@nestjs/cli@${nest}`, 'new', 'app', ...options], { cwd: temporary.path });
    const command = /^npm install nestjs-etcd-trigger (.*)$/m.exec(await readFile('README.md', 'utf8'))?.[1] ?? '';
    await project.#exec([...NPM, `./${await project.pack()}`, ...command.split(' '), ...packages]);
    return project;
  }

  /** Packs the package into the project, and returns the name of the tarball. */
  async pack(): Promise<string> {
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', this.folder];
    const [{ filename }] = JSON.parse((await run('npm', pack)).stdout) as [{ filename: string }];
    return filename;
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await writeFile(join(this.folder, path), content);
    }
  }

  /** Changes a JSON file of the project. */
  async edit(path: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
    const content = JSON.parse(await readFile(join(this.folder, path), 'utf8')) as Record<string, unknown>;
    await this.write({ [path]: JSON.stringify({ ...content, ...changes }) });
  }

  /** Runs a program and returns its standard output. If it fails or does not end, the error contains all of its output. */
  async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const options = {
      cwd: this.folder,
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 26,
      timeout: RUN_TIMEOUT_MS,
    };
    const { stdout } = await run(program, args, options).catch((error: unknown) => {
      const { stdout, stderr, killed } = error as { stdout: string; stderr: string; killed: boolean };
      const what = killed ? 'did not end' : 'failed';
      throw new Error(`${program} ${args.join(' ')} ${what}:\n${stdout}\n${stderr}`);
    });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.temporary[Symbol.asyncDispose]();
  }

  async #exec([program = '', ...args]: readonly string[]): Promise<void> {
    await this.run(program, args);
  }
}
