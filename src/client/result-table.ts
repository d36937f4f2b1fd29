/** A result as an aligned table, the way psql prints it. */

export interface TableColumn {
  readonly name: string;
  /** Numbers stand at the right. */
  readonly isNumeric: boolean;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;

/** Columns of a terminal that `text` takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/** Control characters shown as escapes, so that data cannot drive the terminal. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (character) =>
    character === '\t' ? '    ' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function pad(text: string, width: number, isRight: boolean): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return isRight ? fill + text : text + fill;
}

function center(text: string, width: number): string {
  const fill = Math.max(0, width - displayWidth(text));
  return ' '.repeat(fill >> 1) + text + ' '.repeat(fill - (fill >> 1));
}

/** The lines of one row: a cell may hold several lines, marked with `+` as psql does. */
function rowLines(
  cells: readonly string[][],
  columns: readonly TableColumn[],
  widths: readonly number[],
): string[] {
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((lines, index) => {
        const more = line < lines.length - 1 ? '+' : ' ';
        return ` ${pad(lines[line] ?? '', widths[index]!, columns[index]!.isNumeric)}${more}`;
      })
      .join('|')
      .trimEnd(),
  );
}

export function formatTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly (string | null)[])[],
): string {
  const cells = rows.map((row) => row.map((value) => printable(value ?? '').split('\n')));
  const widths = columns.map((column, index) =>
    Math.max(
      displayWidth(column.name),
      ...cells.map((row) => Math.max(...row[index]!.map(displayWidth))),
    ),
  );
  const header = columns
    .map((column, index) => ` ${center(column.name, widths[index]!)} `)
    .join('|')
    .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+');
  const count = `(${rows.length} row${rows.length === 1 ? '' : 's'})`;
  return [header, rule, ...cells.flatMap((row) => rowLines(row, columns, widths)), count, ''].join(
    '\n',
  );
}
