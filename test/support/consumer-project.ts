import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TemporaryFolder } from './temporary-folder.js';

const run = promisify(execFile);

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

/** An empty project in which the packed tarball is installed. */
export class ConsumerProject implements AsyncDisposable {
  private constructor(private readonly temporary: TemporaryFolder) {}

  static async create(
    dependencies: Readonly<Record<string, string>>,
    manifest: Readonly<Record<string, unknown>> = {},
  ): Promise<ConsumerProject> {
    const project = new ConsumerProject(await TemporaryFolder.create('consumer'));
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', project.folder];
    const [{ filename }] = JSON.parse((await run('npm', pack)).stdout) as [{ filename: string }];
    await project.write({
      'package.json': JSON.stringify({
        private: true,
        overrides: { 'file-type': '21.3.4' },
        ...manifest,
        dependencies: { ...dependencies, 'nestjs-etcd-trigger': `file:${filename}` },
      }),
    });
    await project.run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund']);
    return project;
  }

  get folder(): string {
    return this.temporary.path;
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await writeFile(join(this.folder, path), content);
    }
  }

  /** Runs a program and returns its standard output. If it fails, the error contains all of its output. */
  async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const options = { cwd: this.folder, env: { ...process.env, ...env }, maxBuffer: 2 ** 26 };
    const { stdout } = await run(program, args, options).catch((error: unknown) => {
      const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
      throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
    });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.temporary[Symbol.asyncDispose]();
  }
}
