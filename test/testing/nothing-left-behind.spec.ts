import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const LIB = fileURLToPath(new URL('../../lib', import.meta.url));

/** A Node process of its own that starts an etcd and then does what `ending` says. Its temporary folder is one of ours, so that we see what is left. */
async function startElsewhere(ending: string): Promise<{
  child: ChildProcessByStdio<null, Readable, null>;
  etcd: number;
  left: () => Promise<string[]>;
}> {
  const folder = await temporaryFolder();
  await compileLib(folder);
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  const program = join(folder, 'program.js');
  await writeFile(
    program,
    `import 'reflect-metadata';
     import { EtcdTestCluster } from './testing/index.js';
     const cluster = await EtcdTestCluster.start();
     console.log(cluster.first.pid);
     ${ending}`,
  );
  const child = spawn(process.execPath, [program], {
    detached: true,
    env: { ...process.env, TMPDIR: temporary, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, etcd: Number(line), left: () => readdir(temporary) };
}

/** From the sources, so that no earlier build is tested by mistake. */
async function compileLib(folder: string): Promise<void> {
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
  };
  for (const file of (await readdir(LIB, { recursive: true })).filter((name) => name.endsWith('.ts'))) {
    const { outputText } = ts.transpileModule(await readFile(join(LIB, file), 'utf8'), { compilerOptions });
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file.replace(/\.ts$/, '.js')), outputText);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const RUNS_ON = 'setInterval(() => undefined, 1000);';

describe('neither a process nor a folder is left behind', () => {
  it('when the process that started etcd is killed with SIGKILL', async () => {
    const { child, etcd, left } = await startElsewhere(RUNS_ON);
    expect([isAlive(etcd), (await left()).length]).toEqual([true, 1]);

    child.kill('SIGKILL');

    await eventually(async () => !isAlive(etcd) && (await left()).length === 0);
  });

  it('when Ctrl-C goes to its whole process group', async () => {
    const { child, etcd, left } = await startElsewhere(RUNS_ON);

    process.kill(-(child.pid ?? 0), 'SIGINT');

    await eventually(async () => !isAlive(etcd) && (await left()).length === 0);
  });

  it('when it dies while etcd is paused', async () => {
    const { child, etcd, left } = await startElsewhere(`cluster.first.pause(); ${RUNS_ON}`);

    child.kill('SIGKILL');

    await eventually(async () => !isAlive(etcd) && (await left()).length === 0);
  });

  it('when it dies while etcd is stopped, with the data still there', async () => {
    const { child, etcd, left } = await startElsewhere(`await cluster.first.stop(); ${RUNS_ON}`);
    await eventually(() => !isAlive(etcd));
    expect(await left()).toHaveLength(1);

    child.kill('SIGKILL');

    await eventually(async () => (await left()).length === 0);
  });

  it('when it throws', async () => {
    const { child, etcd, left } = await startElsewhere('process.exit(3);');

    await eventually(async () => !isAlive(etcd) && (await left()).length === 0);
    await eventually(() => child.exitCode === 3);
  });

  it('when it simply has nothing more to do: a running etcd keeps nobody alive', async () => {
    const { child, etcd, left } = await startElsewhere('');

    await eventually(() => child.exitCode === 0);
    await eventually(async () => !isAlive(etcd) && (await left()).length === 0);
  });
});
