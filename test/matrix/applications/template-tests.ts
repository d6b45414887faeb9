import { snippetsOf } from '../../readme/snippets.js';

const GUIDE = snippetsOf('docs/testing.md');

/** Both test runners provide globals in the templates. */
const guide = (file: string): string => (GUIDE.get(file) ?? '').replace(/^import .* from 'vitest';\n/m, '');

/** An application with `@nestjs/config` and `@nestjs/terminus`. It reads its hosts from the environment. */
const NEIGHBOURS = `
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import request from 'supertest';
import { LimitConfig } from '../src/guide/limit.config.js';
import { HealthModule } from '../src/guide/health.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot(),
    HealthModule,
    EtcdTriggerModule.forRootAsync({
      imports: [ConfigModule],
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({ client: { hosts: config.get('ETCD_HOSTS', 'localhost:2379') } }),
      configs: [{ key: '/limit', type: LimitConfig, required: true }],
    }),
  ],
})
class AppModule {}

it('runs beside @nestjs/config and @nestjs/terminus', async () => {
  const etcd = new FakeCluster({ '/limit': { perMinute: 2 } });
  const module = await etcd.replaceIn(Test.createTestingModule({ imports: [AppModule] })).compile();
  const app = await module.createNestApplication({ logger: false }).init();

  expect(app.get(StoreService).getOrThrow('/limit', LimitConfig).perMinute).toBe(2);
  await request(app.getHttpServer()).get('/health/ready').expect(200);
  await app.close();
});
`;

/** The tests of the guide: three unit tests with the one of the template, and three end-to-end tests. */
export const TEMPLATE_TESTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['limit.config.ts', 'order.service.ts', 'app.module.ts'].map((file) => [`src/guide/${file}`, guide(file)]),
  ),
  'src/guide/health.controller.ts': snippetsOf('docs/observability.md').get('health.controller.ts') ?? '',
  'src/guide/order.service.spec.ts': guide('order.service.test.ts'),
  'test/guide.e2e-spec.ts': guide('app.test.ts').replaceAll("'./", "'../src/guide/"),
  'test/app.e2e-spec.ts': NEIGHBOURS,
};
export const UNIT_TESTS = 3;
export const END_TO_END_TESTS = 3;
