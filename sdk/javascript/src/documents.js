/** The documents of a tile, written column by column. */

export class Documents {
  #columns;
  #names;
  #count = 0;

  /** `names`: all outputs of the definition, those that are omitted now included. */
  constructor(columns, names) {
    this.#columns = columns;
    this.#names = new Set(names);
  }

  push(document) {
    let at;
    try {
      for (const name of Object.keys(document)) {
        at = name;
        if (!this.#names.has(name)) throw new TypeError("is not declared");
      }
      for (const column of this.#columns) {
        at = column.name;
        column.put(document[column.name]);
      }
    } catch (error) {
      // Columns that got their value already are ahead of the others.
      this.truncate(this.#count);
      error.message = `output \`${at}\` ${error.message}`;
      throw error;
    }
    this.#count += 1;
  }

  get length() {
    return this.#count;
  }

  get bytes() {
    return this.#columns.reduce((sum, column) => sum + column.bytes, 0);
  }

  truncate(count) {
    for (const column of this.#columns) column.truncate(count);
    this.#count = count;
  }

  pushTo(sink, first) {
    for (const column of this.#columns) column.push(sink, first);
  }
}
