import { Controller, Get, Post } from '@nestjs/common';
import { LiveState, type ShownPods } from './live-state.js';
import { type Stock, Stocktaking } from './stocktaking.js';

/** Shows what the instances share, and takes stock under a lock. */
@Controller()
export class PodsController {
  constructor(
    private readonly state: LiveState,
    private readonly stocktaking: Stocktaking,
  ) {}

  @Get('pods')
  pods(): ShownPods {
    return this.state.pods;
  }

  /** Responds when this instance has had its turn. */
  @Post('stocktaking')
  takeStock(): Promise<Stock> {
    return this.stocktaking.run();
  }
}
