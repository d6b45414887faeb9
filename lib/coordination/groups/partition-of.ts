import { hashOf } from '../rendezvous.js';

/** The partition of a text, from 0. The same in every version: the cursors depend on it. */
export const partitionOf = (text: string, partitions: number): number => hashOf(text) % partitions;
