/** Where figures go: a table on stdout while it grows, and with `--json FILE` one JSON object a line. */

import { appendFileSync, writeFileSync } from 'node:fs';

export type Figure = string | number | boolean | null;

/** One line of `--json`: `bench` and `case` name it. */
export interface Line {
  readonly bench: string;
  readonly case: string;
  readonly [figure: string]: Figure;
}

export class Report {
  readonly #jsonFile: string | null;
  readonly #columns: readonly string[];
  #isHeaderOut = false;

  /** `columns`: the figures that the table shows; `--json` holds all of them. */
  constructor(jsonFile: string | null, columns: readonly string[]) {
    this.#jsonFile = jsonFile;
    this.#columns = columns;
    if (jsonFile !== null) writeFileSync(jsonFile, '');
  }

  add(line: Line): void {
    if (this.#jsonFile !== null) appendFileSync(this.#jsonFile, `${JSON.stringify(line)}\n`);
    const widths = this.#columns.map((column) => Math.max(column.length, 12));
    const print = (cells: readonly string[]): void => {
      process.stdout.write(`${cells.map((cell, at) => cell.padStart(widths[at]!)).join('  ')}\n`);
    };
    if (!this.#isHeaderOut) print(this.#columns);
    this.#isHeaderOut = true;
    print(this.#columns.map((column) => shown(line[column])));
  }

  /** Progress, on stderr: it is no result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }
}

function shown(figure: Figure | undefined): string {
  if (figure === undefined || figure === null) return '-';
  if (typeof figure !== 'number') return String(figure);
  return figure >= 1000 ? Math.round(figure).toLocaleString('en-US') : String(figure);
}
