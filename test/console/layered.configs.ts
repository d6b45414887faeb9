import { Type } from 'class-transformer';
import { IsIn, IsOptional, IsString, ValidateNested } from 'class-validator';
import { type ConfigDefinition, Secret } from 'nestjs-etcd-trigger';
import { CANARY } from './console.configs.js';

class Login {
  @IsString() user!: string;
  @Secret() @IsString() pin!: string;
}

class Greeting {
  @IsString() user!: string;
  @IsOptional() @IsString() pin?: string;
}

/** Its token is a secret, and so is one in its parts. */
export class TokenAuth {
  @IsIn(['token']) kind!: string;
  @Secret() @IsString() value!: string;
  @IsOptional() @ValidateNested() @Type(() => Login) login?: Login;
}

/** The same names, without a secret. */
export class OpenAuth {
  @IsIn(['open']) kind!: string;
  @IsOptional() @IsString() value?: string;
  @IsOptional() @ValidateNested() @Type(() => Greeting) login?: Greeting;
}

const BY_KIND = {
  keepDiscriminatorProperty: true,
  discriminator: {
    property: 'kind',
    subTypes: [
      { name: 'token', value: TokenAuth },
      { name: 'open', value: OpenAuth },
    ],
  },
};

export class Mailer {
  @IsString() host!: string;
  @ValidateNested() @Type(() => OpenAuth, BY_KIND) auth!: TokenAuth | OpenAuth;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => OpenAuth, BY_KIND) relays?: OpenAuth[];
}

/** A property beside the part chooses its class, and no secret is known without a document. */
export class Webhook {
  @IsIn(['token', 'open']) mode!: string;
  @ValidateNested()
  @Type((help) => ((help?.object as { mode?: unknown } | undefined)?.mode === 'token' ? TokenAuth : OpenAuth))
  target!: TokenAuth | OpenAuth;
}

export const MAILER = '/mailer';
export const MAILER_BASE = '/mailer-base';
export const WEBHOOK = '/webhook';
export const WEBHOOK_BASE = '/webhook-base';

export const LAYERED: ConfigDefinition[] = [
  { key: MAILER, type: Mailer, layers: [MAILER_BASE, MAILER] },
  { key: WEBHOOK, type: Webhook, layers: [WEBHOOK_BASE, WEBHOOK] },
];

const token = { kind: 'token', value: `${CANARY}-value`, login: { user: 'ada', pin: `${CANARY}-pin` } };

/** The lower layers have secrets, and the higher ones choose classes that have none. */
export const LAYERS = {
  [MAILER_BASE]: { host: 'mail-1', auth: token },
  [MAILER]: { auth: { kind: 'open' }, relays: [{ kind: 'open', value: `${CANARY}-relay` }] },
  [WEBHOOK_BASE]: { mode: 'token', target: token },
  [WEBHOOK]: { mode: 'open', target: { kind: 'open' } },
};
