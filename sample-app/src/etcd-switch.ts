import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EtcdMember } from 'nestjs-etcd-trigger/testing';

/** For an etcd that this app has started itself: `DELETE` kills it, `PUT` starts it again with the data it had. */
export function etcdSwitch(member: EtcdMember): (request: IncomingMessage, response: ServerResponse) => void {
  const turns = new Map([
    ['DELETE', () => member.kill()],
    ['PUT', () => member.start()],
  ]);
  return ({ method = '' }, response) => {
    const turn = turns.get(method);
    if (!turn) {
      response.writeHead(405, { allow: [...turns.keys()].join() }).end();
      return;
    }
    turn().then(
      () => response.end(`etcd ${member.running ? 'runs' : 'is stopped'}\n`),
      (error: unknown) => response.writeHead(500).end(`${(error as Error).message}\n`),
    );
  };
}
