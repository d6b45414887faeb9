import { IsInt, IsString } from 'class-validator';

/** Configuration classes for specs in which the shape of the values does not matter. */
export class Database {
  @IsString() host!: string;
}

export class Limit {
  @IsInt() count!: number;
}
