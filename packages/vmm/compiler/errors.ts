/** What the author of guest code did wrong, with the place where. */
export interface Complaint {
  readonly message: string;
  /** A file as it was given to the compiler, or null where none can be told. */
  readonly file: string | null;
  /** From 1; 0 if unknown. */
  readonly line: number;
}

/** Guest code that cannot be compiled; the message has a line for each complaint, `file:line: text`. */
export class CompileError extends Error {
  override readonly name = "CompileError";
  readonly complaints: readonly Complaint[];

  constructor(complaints: readonly Complaint[]) {
    super(
      complaints.map(({ file, line, message }) => (file === null ? message : `${file}:${line}: ${message}`)).join("\n"),
    );
    this.complaints = complaints;
  }
}

/** Something in a WebAssembly module is outside the subset. The driver turns the place into a file and a line. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  /** The byte of the module that it is about. */
  readonly at: number;
  /** The function that it is in, if any. */
  readonly functionIndex: number | null;

  constructor(problem: string, at: number, functionIndex: number | null = null) {
    super(problem);
    this.at = at;
    this.functionIndex = functionIndex;
  }
}
