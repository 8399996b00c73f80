/** `--gdb PORT`: the TCP side of the machine's stub for gdb. One debugger at a time; others are turned away. */
import { createServer, type Server, type Socket } from "node:net";
import { type GdbEnd, GdbStub, type HostClock, type Machine, type Runner } from "castaway";
import { UserError } from "./exit.ts";

export class GdbPort {
  /** Called when a debugger has connected: the run is to stop, so that `serve` can take it over. */
  onConnect: () => void = () => {};
  readonly #server: Server;
  #socket: Socket | null = null;
  #wake: () => void = () => {};
  #closed = false;

  /** @throws UserError if the port cannot be had */
  static async listen(port: number): Promise<GdbPort> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      const taken = ({ code, message }: NodeJS.ErrnoException) => {
        const why = code === "EADDRINUSE" ? "another program listens there; choose another port" : message;
        reject(new UserError(`--gdb: port ${port} cannot be used: ${why}`));
      };
      server.once("error", taken);
      server.listen(port, "127.0.0.1", resolve); // whoever connects rules the machine: nobody from outside
    });
    return new GdbPort(server);
  }
  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => this.#accept(socket));
  }
  #accept(socket: Socket): void {
    socket.on("error", () => {}); // "close" follows
    if (this.#socket !== null) {
      socket.destroy();
      return;
    }
    socket.pause(); // until `serve` listens
    socket.setNoDelay(true);
    socket.once("close", () => (this.#socket = null));
    this.#socket = socket;
    this.#wake();
    this.onConnect();
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }
  get connected(): boolean {
    return this.#socket !== null;
  }
  /** Waits until a debugger is connected, or the port is closed. */
  async connection(): Promise<void> {
    if (this.#socket !== null || this.#closed) return;
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }
  /** Lets the connected debugger rule the machine, until it leaves. @returns how it left; null if there is none */
  async serve(machine: Machine, runner: Runner, host: HostClock): Promise<GdbEnd | null> {
    const socket = this.#socket;
    if (socket === null) return null;
    const stub = new GdbStub(machine, { send: (bytes) => void socket.write(bytes) });
    socket.on("data", (bytes) => stub.receive(bytes));
    socket.once("close", () => stub.disconnect());
    socket.resume();
    const end = await stub.serve(runner, host);
    socket.end();
    this.#socket = null;
    return end;
  }
  close(): void {
    this.#closed = true;
    this.#server.close();
    this.#socket?.destroy();
    this.#wake();
  }
}
