const STEPS = 10;

/** Reports work on standard error: one line that is rewritten on a terminal, a line for each tenth elsewhere. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #isTerminal = process.stderr.isTTY;
  #done = 0;
  #shown = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  /** Counts so much more as done. */
  add(count: number): void {
    this.#done += count;
    const parts = this.#isTerminal ? 100 : STEPS;
    const part = Math.floor((this.#done * parts) / this.#total);
    if (part === this.#shown) return;
    this.#shown = part;
    const line = `${this.#label}: ${Math.floor((this.#done * 100) / this.#total)} % of ${this.#total}`;
    const end = this.#done < this.#total ? "" : "\n";
    process.stderr.write(this.#isTerminal ? `\r${line}${end}` : `${line}\n`);
  }
}
