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
import { testFolder } from '../support/test-folder.js';

const LIB = fileURLToPath(new URL('../../lib', import.meta.url));

/** Starts etcd in a separate Node process that then runs `ending`, with a temporary folder that the test inspects. */
async function startInOtherProcess(ending: string): Promise<{
  child: ChildProcessByStdio<null, Readable, null>;
  etcd: number;
  leftovers: () => Promise<string[]>;
}> {
  const folder = await testFolder();
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
  return { child, etcd: Number(line), leftovers: () => readdir(temporary) };
}

/** Compiles the sources, so that no outdated build is tested by mistake. */
async function compileLib(folder: string): Promise<void> {
  const { type, imports } = JSON.parse(await readFile('package.json', 'utf8')) as Record<string, unknown>;
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type, imports }));
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

const KEEPS_RUNNING = 'setInterval(() => undefined, 1000);';

describe('neither a process nor a folder is leftovers behind', () => {
  it('when the process that started etcd is killed with SIGKILL', async () => {
    const { child, etcd, leftovers } = await startInOtherProcess(KEEPS_RUNNING);
    expect([isAlive(etcd), (await leftovers()).length]).toEqual([true, 1]);

    child.kill('SIGKILL');

    await eventually(async () => !isAlive(etcd) && (await leftovers()).length === 0);
  });

  it('when Ctrl-C goes to its whole process group', async () => {
    const { child, etcd, leftovers } = await startInOtherProcess(KEEPS_RUNNING);

    process.kill(-(child.pid ?? 0), 'SIGINT');

    await eventually(async () => !isAlive(etcd) && (await leftovers()).length === 0);
  });

  it('when it dies while etcd is paused', async () => {
    const { child, etcd, leftovers } = await startInOtherProcess(`cluster.first.pause(); ${KEEPS_RUNNING}`);

    child.kill('SIGKILL');

    await eventually(async () => !isAlive(etcd) && (await leftovers()).length === 0);
  });

  it('when it dies while etcd is stopped, with the data still there', async () => {
    const { child, etcd, leftovers } = await startInOtherProcess(`await cluster.first.stop(); ${KEEPS_RUNNING}`);
    await eventually(() => !isAlive(etcd));
    expect(await leftovers()).toHaveLength(1);

    child.kill('SIGKILL');

    await eventually(async () => (await leftovers()).length === 0);
  });

  it('when it throws', async () => {
    const { child, etcd, leftovers } = await startInOtherProcess('process.exit(3);');

    await eventually(async () => !isAlive(etcd) && (await leftovers()).length === 0);
    await eventually(() => child.exitCode === 3);
  });

  it('when it ends normally, because a running etcd does not keep the process alive', async () => {
    const { child, etcd, leftovers } = await startInOtherProcess('');

    await eventually(() => child.exitCode === 0);
    await eventually(async () => !isAlive(etcd) && (await leftovers()).length === 0);
  });
});
