const PREFIX_BYTES = 5;

/** Cuts the data of a gRPC stream into its messages, each with its prefix of five bytes (a flag and the length). */
export class MessageSplitter {
  #pending = Buffer.alloc(0);

  /** The messages that are whole with this chunk. */
  push(chunk: Buffer): Buffer[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const messages: Buffer[] = [];
    for (let size = this.#nextSize(); size <= this.#pending.length; size = this.#nextSize()) {
      messages.push(this.#pending.subarray(0, size));
      this.#pending = this.#pending.subarray(size);
    }
    return messages;
  }

  #nextSize(): number {
    if (this.#pending.length < PREFIX_BYTES) return Number.POSITIVE_INFINITY;
    return PREFIX_BYTES + this.#pending.readUInt32BE(1);
  }
}
