/**
 * A TFTP server on a host, for reading only [RFC 1350, 2347, 2348, 2349, 7440]. A file's name is a key of a map or an
 * argument of a function and never a path of anything, so no name leads outside.
 */
import { ConfigError, list, ms, type Nanoseconds, natural, Probe, record, type StateOf, u16 } from "@castaway/kit";
import { formatIp } from "./address.ts";
import { type Counts, countsState, zeros } from "./counts.ts";
import type { Datagram, Host } from "./host.ts";
import { buildError, dataHeader, parseTftp, type TftpRequest, tftpError, tftpOpcode, tftpPort } from "./tftp-packet.ts";
import { type TftpFile, TftpSession, type Transfer, tftpSessionState } from "./tftp-session.ts";

/** Files by name, or a function that knows them; null: no such file. */
export type TftpFiles =
  | ReadonlyMap<string, Uint8Array | TftpFile>
  | Readonly<Record<string, Uint8Array | TftpFile>>
  | ((name: string) => Uint8Array | TftpFile | null);

export type TftpServerOptions = {
  host: Host;
  files: TftpFiles;
  /** How long to wait for an acknowledgement; 500 ms if left out. A client's `timeout` option overrides it. */
  timeout?: Nanoseconds;
  /** The largest window granted, in blocks, 1 to 65535; 16 if left out. */
  largestWindow?: number;
  /** How many transfers run at once, 1 to 4096; 256 if left out. Requests beyond are dropped: clients ask again. */
  sessions?: number;
  /** Time that the server takes for a block, one after the other for all clients; 0 if left out. */
  serviceTime?: Nanoseconds;
};

export const tftpDrops = [
  "malformed",
  "too many sessions",
  "unknown transfer",
  "unexpected packet",
  "useless ack",
] as const;
export type TftpDrop = (typeof tftpDrops)[number];

const events = ["requests", "errors", "blocks", "repeats", "done", "given up", "ended by client"] as const;
type Event = (typeof events)[number];

export const tftpServerState = record({
  sessions: list(tftpSessionState),
  nextPort: u16,
  busyUntil: natural,
  statistics: countsState(events),
  drops: countsState(tftpDrops),
});
export type TftpServerState = StateOf<typeof tftpServerState>;

/** What happened to a transfer. */
export type TftpEvent = {
  client: string;
  file: string;
  what: "started" | "done" | "given up" | "read failed" | "ended by client" | "refused";
};

/** Transfers take ports from here up: the dynamic ones [RFC 6335 6]. */
const firstPort = 49152;
/** Without blksize blocks have 512 bytes [RFC 1350]; with it 8 to 65464 [RFC 2348]. */
const plainBlock = 512;

export class TftpServer {
  /** What {@link save} gives. */
  readonly state = tftpServerState;
  readonly statistics: Counts<Event> = zeros(events);
  /** What was dropped so far, by reason. */
  readonly drops: Counts<TftpDrop> = zeros(tftpDrops);
  readonly transfers = new Probe<TftpEvent>("TFTP transfers");
  readonly dropped = new Probe<{ reason: TftpDrop }>("TFTP drops");
  readonly #host: Host;
  readonly #files: TftpFiles;
  readonly #timeout: Nanoseconds;
  readonly #largestWindow: number;
  readonly #limit: number;
  readonly #serviceTime: Nanoseconds;
  /** By the client's address and port. */
  readonly #sessions = new Map<string, { session: TftpSession; close: () => void }>();
  #nextPort = firstPort;
  #busyUntil = 0;

  /** @throws ConfigError if a number is out of its range */
  constructor({
    host,
    files,
    timeout = ms(500),
    largestWindow = 16,
    sessions = 256,
    serviceTime = 0,
  }: TftpServerOptions) {
    checkRange("timeout", timeout, 1, 255_000_000_000);
    checkRange("largestWindow", largestWindow, 1, 65535);
    checkRange("sessions", sessions, 1, 4096);
    checkRange("serviceTime", serviceTime, 0, 1_000_000_000);
    this.#host = host;
    this.#files = files;
    this.#timeout = timeout;
    this.#largestWindow = largestWindow;
    this.#limit = sessions;
    this.#serviceTime = serviceTime;
    host.listen(tftpPort, (datagram) => this.#receive(datagram));
  }

  /** How many transfers are running. */
  get running(): number {
    return this.#sessions.size;
  }

  /** What decides how it goes on, beside its state and the files. */
  get configuration(): string {
    return [this.#timeout, this.#largestWindow, this.#limit, this.#serviceTime].join(" ");
  }

  save(): TftpServerState {
    return {
      sessions: [...this.#sessions.values()].map(({ session }) => session.save()),
      nextPort: this.#nextPort,
      busyUntil: this.#busyUntil,
      statistics: { ...this.statistics },
      drops: { ...this.drops },
    };
  }

  /** A transfer whose file is not there any more, or has another size, is over: its client gives up. */
  restore(state: TftpServerState): void {
    for (const [key] of this.#sessions) this.#remove(key);
    for (const saved of state.sessions) {
      const file = this.#find(saved.transfer.name);
      if (file?.size === saved.transfer.size) this.#open(saved.transfer, file).restore(saved);
    }
    this.#nextPort = state.nextPort;
    this.#busyUntil = state.busyUntil;
    Object.assign(this.statistics, state.statistics);
    Object.assign(this.drops, state.drops);
  }

  #receive(datagram: Datagram): void {
    const packet = parseTftp(datagram.data);
    if (packet === null || datagram.sourcePort === 0) return this.#drop("malformed");
    if (packet.kind === "error") return this.#drop("unexpected packet"); // an error is never answered by one
    if (packet.kind !== "request") {
      this.#drop("unexpected packet");
      return this.#refuse(datagram, tftpPort, tftpError.illegalOperation, "not a request");
    }
    this.#request(datagram, packet);
  }

  #request(datagram: Datagram, request: TftpRequest): void {
    const before = this.#sessions.get(keyOf(datagram.source, datagram.sourcePort))?.session;
    if (before?.fresh && before.transfer.name === request.file) return before.repeat();
    this.statistics.requests++;
    const refuse = (code: number, message: string) => {
      this.#tell(datagram.source, request.file, "refused");
      this.#refuse(datagram, tftpPort, code, message);
    };
    if (request.opcode === tftpOpcode.write) return refuse(tftpError.accessViolation, "this server is for reading");
    if (request.mode !== "octet") return refuse(tftpError.illegalOperation, "the only mode is octet");
    const file = this.#find(request.file);
    if (file === null) return refuse(tftpError.fileNotFound, "no such file");
    if (before !== undefined) this.#remove(keyOf(datagram.source, datagram.sourcePort));
    if (this.#sessions.size >= this.#limit) return this.#drop("too many sessions");
    this.#tell(datagram.source, request.file, "started");
    this.#open(this.#negotiate(datagram, request, file.size), file).start();
  }

  /** What is granted of what the client asks for; an option that is unknown or no number is passed over [RFC 2347]. */
  #negotiate({ source, sourcePort }: Datagram, { file, options }: TftpRequest, size: number): Transfer {
    const granted: [string, string][] = [];
    const option = (
      name: string,
      lowest: number,
      highest: number,
      grant: (asked: number) => number,
      otherwise: number,
    ) => {
      const text = options.get(name) ?? "";
      const asked = /^\d{1,15}$/.test(text) ? Number(text) : -1;
      if (asked < lowest || asked > highest) return otherwise;
      granted.push([name, String(grant(asked))]);
      return grant(asked);
    };
    const largestBlock = this.#host.largestDatagram - dataHeader;
    const blockSize = option("blksize", 8, 65464, (asked) => Math.min(asked, largestBlock), plainBlock);
    option("tsize", 0, Number.MAX_SAFE_INTEGER, () => size, 0);
    const wait = option("timeout", 1, 255, (asked) => asked, 0);
    const window = option("windowsize", 1, 65535, (asked) => Math.min(asked, this.#largestWindow), 1);
    return {
      client: source,
      clientPort: sourcePort,
      port: this.#takePort(),
      name: file,
      size,
      blockSize,
      window,
      timeout: wait === 0 ? this.#timeout : wait * 1_000_000_000,
      options: granted.length === 0 ? null : granted,
    };
  }

  #open(transfer: Transfer, file: TftpFile): TftpSession {
    const { client, clientPort, port } = transfer;
    const key = keyOf(client, clientPort);
    const session = new TftpSession(
      {
        clock: this.#host.clock,
        send: (data) => this.#host.send({ to: client, toPort: clientPort, fromPort: port, data }),
        serve: (blocks) => this.#serve(blocks),
        end: (how) => this.#end(key, session, how),
        sent: (blocks, again) => {
          this.statistics.blocks += blocks;
          this.statistics.repeats += again;
        },
      },
      transfer,
      file,
    );
    const close = this.#host.listen(port, (datagram) => this.#receiveForSession(session, datagram));
    this.#sessions.set(key, { session, close });
    return session;
  }

  #receiveForSession(session: TftpSession, datagram: Datagram): void {
    const { client, clientPort, port, name } = session.transfer;
    const packet = parseTftp(datagram.data);
    if (packet === null) return this.#drop("malformed");
    if (datagram.source !== client || datagram.sourcePort !== clientPort) {
      this.#drop("unknown transfer"); // the transfer itself goes on [RFC 1350 4]
      if (packet.kind !== "error") this.#refuse(datagram, port, tftpError.unknownTransfer, "unknown transfer");
      return;
    }
    if (packet.kind === "error") {
      this.statistics["ended by client"]++;
      this.#tell(client, name, "ended by client");
      return this.#remove(keyOf(client, clientPort));
    }
    if (packet.kind !== "ack") return this.#drop("unexpected packet");
    if (!session.acknowledge(packet.block)) this.#drop("useless ack");
  }

  #end(key: string, { transfer }: TftpSession, how: "done" | "given up" | "read failed"): void {
    this.#remove(key);
    this.#tell(transfer.client, transfer.name, how);
    if (how !== "read failed") {
      this.statistics[how]++;
      return;
    }
    const { client: source, clientPort: sourcePort, port } = transfer;
    this.#refuse({ source, sourcePort }, port, tftpError.undefined, "the file cannot be read");
  }

  #remove(key: string): void {
    const entry = this.#sessions.get(key);
    entry?.session.stop();
    entry?.close();
    this.#sessions.delete(key);
  }

  /** Names are tried as they come, then without the slashes that some clients put in front. */
  #find(name: string): TftpFile | null {
    const plain = name.replace(/^\/+/, "");
    const found = this.#look(name) ?? (plain === name ? null : this.#look(plain));
    return found instanceof Uint8Array ? inMemory(found) : found;
  }

  #look(name: string): Uint8Array | TftpFile | null {
    const files = this.#files;
    if (typeof files === "function") return files(name);
    if (files instanceof Map) return files.get(name) ?? null;
    return Object.hasOwn(files, name) ? (files as Readonly<Record<string, Uint8Array | TftpFile>>)[name] : null;
  }

  #serve(blocks: number): Nanoseconds {
    if (this.#serviceTime === 0) return this.#host.clock.now;
    this.#busyUntil = Math.max(this.#busyUntil, this.#host.clock.now) + blocks * this.#serviceTime;
    return this.#busyUntil;
  }

  /** There are more ports than sessions. */
  #takePort(): number {
    for (;;) {
      const port = this.#nextPort;
      this.#nextPort = port === 0xffff ? firstPort : port + 1;
      if (!this.#host.listens(port)) return port;
    }
  }

  #refuse(to: { source: number; sourcePort: number }, fromPort: number, code: number, message: string): void {
    this.statistics.errors++;
    this.#host.send({ to: to.source, toPort: to.sourcePort, fromPort, data: buildError(code, message) });
  }

  #tell(client: number, file: string, what: TftpEvent["what"]): void {
    if (this.transfers.active) this.transfers.emit({ client: formatIp(client), file, what });
  }

  #drop(reason: TftpDrop): void {
    this.drops[reason]++;
    if (this.dropped.active) this.dropped.emit({ reason });
  }
}

const keyOf = (client: number, port: number): string => `${client}:${port}`;

const inMemory = (bytes: Uint8Array): TftpFile => ({
  size: bytes.length,
  read(offset, into) {
    into.set(bytes.subarray(offset, offset + into.length));
    return true;
  },
});

function checkRange(setting: string, value: number, lowest: number, highest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  throw new ConfigError(setting, value, `${lowest} to ${highest}`);
}
