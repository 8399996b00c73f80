/**
 * Chromium without a window, driven over a pipe. [CDP] = Chrome DevTools Protocol: messages in JSON, each ended by a zero
 * byte, on file descriptors 3 (to the browser) and 4 (from it).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

const FLAGS = [
  "--headless",
  "--no-sandbox", // which root cannot have
  "--disable-dev-shm-usage", // containers have little of it
  "--disable-gpu",
  "--disable-background-networking",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", // offline, as far as the page can tell
  "--remote-debugging-pipe",
];

type Reply = { result?: any; error?: { message: string } };
type Message = Reply & { id?: number; method?: string; params?: any };

export class Chromium {
  /** What the page complained about: exceptions that nobody caught, errors in the console, files that did not load. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #session: string | undefined;
  #sent = 0;
  #pieces: string[] = [];
  #log = "";
  /** Why it is no longer there. */
  #ended: string | null = null;

  /** Starts it with an empty page. @throws Error with what it printed */
  static async launch(): Promise<Chromium> {
    const chromium = new Chromium();
    try {
      const { targetId } = await chromium.#send("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await chromium.#send("Target.attachToTarget", { targetId, flatten: true });
      chromium.#session = sessionId;
      for (const domain of ["Page", "Runtime", "Log"]) await chromium.#send(`${domain}.enable`);
      return chromium;
    } catch (error) {
      await chromium.close();
      throw error;
    }
  }

  private constructor() {
    this.#profile = mkdtempSync(join(tmpdir(), "castaway-chromium-"));
    const args = [...FLAGS, `--user-data-dir=${this.#profile}`, "about:blank"];
    this.#child = spawn("chromium", args, { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"], detached: true });
    this.#child.stderr!.on("data", (bytes: Buffer) => (this.#log = (this.#log + bytes).slice(-3000)));
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => this.#read(text));
    (this.#child.stdio[3] as Writable).on("error", () => undefined); // its end is told below
    this.#child.on("error", (error) => this.#gone(`chromium cannot be started: ${error.message}`));
    this.#child.on("exit", (code, signal) => this.#gone(`chromium ended with ${code ?? signal}\n${this.#log}`));
  }
  /** No command will be answered any more. */
  #gone(why: string): void {
    this.#ended = why;
    for (const answer of this.#waiting.values()) answer({ error: { message: why } });
    this.#waiting.clear();
  }

  #send(method: string, params: object = {}): Promise<any> {
    if (this.#ended !== null) return Promise.reject(new Error(this.#ended));
    const id = ++this.#sent;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      const session = this.#session === undefined ? {} : { sessionId: this.#session };
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }
  #read(text: string): void {
    const [head, ...more] = text.split("\0");
    this.#pieces.push(head!);
    for (const piece of more) {
      this.#hear(JSON.parse(this.#pieces.join("")));
      this.#pieces = [piece];
    }
  }
  #hear({ id, method, params, ...reply }: Message): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    } else if (method === "Runtime.exceptionThrown") {
      const { text, exception } = params.exceptionDetails;
      this.complaints.push(`${text} ${exception?.description ?? ""}`);
    } else if (method === "Log.entryAdded" && params.entry.level === "error") {
      this.complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    }
  }

  /** Opens a page; resolves before it has loaded. Complaints of the one before are forgotten. */
  async open(url: string): Promise<void> {
    this.complaints.length = 0;
    const { errorText } = await this.#send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  }
  /** The value of an expression in the page, awaited there; plain data. @throws Error with what the page threw */
  async evaluate<T>(expression: string): Promise<T> {
    const wanted = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", wanted);
    if (exceptionDetails)
      throw new Error(`in the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }
  /** Evaluates until the value is true. @throws Error that tells of `what`, with the page's complaints */
  async waitFor(what: string, expression: string, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (!(await this.evaluate<boolean>(expression))) {
      if (performance.now() > end) throw new Error(`no ${what} after ${seconds} s\n${this.complaints.join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  /** Types with the keyboard into whatever has the focus: letters, digits and newlines. */
  async type(text: string): Promise<void> {
    for (const character of text) {
      const key = character === "\n" ? "Enter" : character;
      const code = key === "Enter" ? key : /\d/.test(key) ? `Digit${key}` : `Key${key.toUpperCase()}`;
      const windowsVirtualKeyCode = key === "Enter" ? 13 : key.toUpperCase().charCodeAt(0);
      const event = { key, code, windowsVirtualKeyCode };
      await this.#send("Input.dispatchKeyEvent", { type: "keyDown", text: key === "Enter" ? "\r" : key, ...event });
      await this.#send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
    }
  }
  /** A picture of the page, as the bytes of a PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#send("Page.captureScreenshot", { captureBeyondViewport: true });
    return Buffer.from(data, "base64");
  }

  /** Ends it with all its processes. */
  async close(): Promise<void> {
    if (this.#ended === null && this.#child.pid !== undefined) {
      const gone = new Promise((resolve) => this.#child.once("close", resolve));
      process.kill(-this.#child.pid, "SIGKILL");
      await gone;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
