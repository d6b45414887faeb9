import { Injectable } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import { ClusterServices, type ServiceList } from 'nestjs-etcd-trigger';
import { POD, SERVICE } from './identity.js';

export class Instance {
  @IsString() pod!: string;
  @IsString() url!: string;
  @IsInt() pid!: number;
}

/** All running instances of the app, and this one among them. */
@Injectable()
export class Instances {
  readonly all: ServiceList<Instance>;

  constructor(private readonly services: ClusterServices) {
    this.all = services.follow(SERVICE, Instance);
  }

  async join(url: string): Promise<void> {
    await this.services.register<Instance>(SERVICE, { pod: POD, url, pid: process.pid });
  }
}
