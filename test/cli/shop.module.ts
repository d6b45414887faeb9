import { Module } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsBoolean, IsInt, IsString, Max, Min, ValidateNested } from 'class-validator';
import { EtcdTriggerModule, Secret } from 'nestjs-etcd-trigger';

export class Pool {
  @IsInt() @Min(1) @Max(100) size!: number;
}

export class Database {
  @IsString() host!: string;
  @IsString() @Secret() password!: string;
  @ValidateNested() @Type(() => Pool) pool!: Pool;
}

export class Flag {
  @IsBoolean() enabled!: boolean;
}

export class Mail {
  @IsString() server!: string;
}

@Module({ imports: [EtcdTriggerModule.forFeature([{ prefix: '/shop/flags/', type: Flag }])] })
export class FlagsModule {}

@Module({
  imports: [
    EtcdTriggerModule.forRootAsync({
      configs: [
        { key: '/shop/db', type: Database, required: true },
        { key: '/shop/mail', type: Mail },
      ],
      useFactory: () => {
        throw new Error('the command must not create a provider');
      },
    }),
    FlagsModule,
  ],
})
export class AppModule {}
