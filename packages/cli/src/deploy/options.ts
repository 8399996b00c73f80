/** The options of `castaway deploy`: their texts, their values, and what cannot go together. */
import type { Nanoseconds } from "@castaway/kit";
import { type LinkOptions, modelNames, type ServiceCost, type TimingName, type VmmArguments } from "castaway";
import { Command, InvalidArgumentError, Option } from "commander";
import { exitCodesHelp, UserError } from "../exit.ts";
import type { Step } from "../expect.ts";
import { bytes, link, settings } from "../network-options.ts";
import { duration, integer, unescaped } from "../units.ts";

/** What ends a run. */
export type Until =
  | { readonly kind: "devirtualized" | "power-off" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "time"; readonly time: Nanoseconds };

export interface DeployOptions {
  /** Undefined: the demo disk. */
  readonly image?: string;
  readonly memory?: string;
  readonly cpus?: number;
  readonly model?: string;
  readonly diskSize?: string;
  readonly diskTiming: TimingName;
  readonly serialConsole: boolean;
  readonly seed?: number;
  readonly link?: LinkOptions;
  readonly server?: Partial<ServiceCost>;
  readonly pcap?: string;
  /** Undefined: the project's own. */
  readonly vmm?: string;
  readonly blockSize?: number;
  readonly idle?: Nanoseconds;
  readonly pause?: Nanoseconds;
  readonly chunk?: number;
  readonly redirect?: VmmArguments["redirect"];
  readonly log?: number;
  /** Undefined: quitting or power-off in a terminal; else the script's end, or "devirtualized". */
  readonly until?: Until;
  readonly script: readonly Step[];
  readonly atMost?: Nanoseconds;
  readonly plain: boolean;
  readonly panel: boolean;
  readonly pace?: boolean;
  readonly gdb?: number;
  readonly json?: string;
  readonly trace?: string;
  readonly save?: string;
  readonly load?: string;
}

const examples = `Examples:
  castaway deploy                                the demo disk; watch it, and use its shell meanwhile; Ctrl-A h helps
  castaway deploy disk.img --cpus 4 --memory 1GiB
  castaway deploy disk.img --link bandwidth=100M,latency=2ms,loss=1% --server latency=100us,threads=4
  castaway deploy --idle 10ms --chunk 1          copy less eagerly beside the guest

  In scripts and logs:
  castaway deploy --plain --until devirtualized --json -        the report is the last line
  castaway deploy --plain --expect DEMO-READY --type 'check\\n' --expect CHECK-OK --until devirtualized
  castaway deploy --plain --until power-off --at-most 5min --expect 'login:' --type 'root\\npoweroff\\n'

  To look closer:
  castaway deploy --until devirtualized --trace deploy.json     for ui.perfetto.dev: VM exits, phases, disk, frames
  castaway deploy --until 10s --pcap deploy.pcapng              for Wireshark
  castaway deploy --vmm my-vmm.elf --log 2                      any multiboot program; what it prints on port E9`;

/** @param run is given the options, checked; what it throws goes through */
export function deployCommand(run: (options: DeployOptions) => Promise<void>): Command {
  const script: Step[] = [];
  const step = (kind: Step["kind"]) => (text: string) => {
    if (text === "") throw new InvalidArgumentError("An empty text is never printed.");
    script.push({ kind, text: unescaped(text) });
  };
  const command = new Command("deploy")
    .summary("boot an image at once on a PC with an empty disk, and watch it stream in")
    .description(
      "Switches on a PC whose disk is empty. It boots from the network: SeaBIOS, iPXE,\n" +
        "then a hypervisor. That starts the image's system at once and serves its disk\n" +
        "from an AoE server, while it copies the rest; when all is there it removes\n" +
        "itself, and the system goes on alone on the PC. Without IMAGE it is the demo\n" +
        "disk: a small Linux. The image is never modified. At the end the local disk is\n" +
        "compared with the image and what the guest wrote.",
    )
    .argument("[IMAGE]", "disk image, raw or gzip")
    .addHelpText("after", `\n${examples}\n\n${exitCodesHelp}`);
  const add = (group: string, ...options: Option[]) => {
    for (const option of options) command.addOption(option.helpGroup(group));
  };
  add(
    "The machine:",
    new Option("--memory <SIZE>", "RAM, such as 512MiB or 2GiB (default: 128MiB)"),
    new Option("--cpus <N>", "processors, 1 to 16 (default: 1)").argParser(integer(1, 16)),
    new Option("--model <NAME>", "processor model (default: westmere)").choices(modelNames),
    new Option("--disk-size <SIZE>", "of the empty disk (default: the image's and 16 MiB more, rounded up)"),
    new Option("--disk-timing <NAME>", "how long it takes in virtual time")
      .choices(["none", "ssd", "hdd"])
      .default("ssd"),
    new Option("--serial-console", "the screen of firmware and iPXE also goes to the serial port").default(false, "no"),
    new Option("--seed <N>", "seeds RDRAND, RDSEED and the network's chance (default: 1)").argParser(
      integer(0, 2 ** 32),
    ),
  );
  add(
    "Network and server:",
    new Option("--link <OPTIONS>", "the cable, such as bandwidth=100M,latency=5ms,loss=1%,mtu=9000").argParser(link),
    new Option(
      "--server <OPTIONS>",
      "what requests cost the server, such as request=5us,latency=100us,bandwidth=500MiB,threads=8,queue=64",
    ).argParser(server),
    new Option("--pcap <FILE>", "write the frames of the machine's cables, for Wireshark"),
  );
  add(
    "The hypervisor:",
    new Option("--vmm <FILE>", "another multiboot program (default: the project's own)"),
    new Option("--block-size <SIZE>", "what is fetched and recorded together: a power of two, 4KiB to 1MiB").argParser(
      bytes,
    ),
    new Option("--idle <TIME>", "how long the guest leaves its disk alone before blocks are copied").argParser(
      duration,
    ),
    new Option("--pause <TIME>", "the shortest time from one chunk of copied blocks to the next").argParser(duration),
    new Option("--chunk <N>", "how many blocks are copied at a time, 1 to 8").argParser(integer(1, 8)),
    new Option("--redirect <HOW>", "how reads of missing blocks are served").choices(["store", "dummy"]),
    new Option("--log <LEVEL>", "show what it logs, 0 to 3: more with a higher level").argParser(integer(0, 3)),
  );
  add(
    "The run:",
    new Option(
      "--until <WHAT>",
      "devirtualized, power-off, a time such as 30s, or a text on the serial port (default without a terminal: " +
        "the last --expect, or devirtualized)",
    ).argParser(until),
    new Option("--expect <TEXT>", "wait for a text on the serial port; repeatable").argParser(step("expect")),
    new Option(
      "--type <TEXT>",
      "type when the --expect before it was seen; both know \\n, \\x1b and the like",
    ).argParser(step("type")),
    new Option("--at-most <TIME>", "virtual time, such as 60s or 5min; it is a failure to need more").argParser(
      duration,
    ),
    new Option("--gdb <PORT>", "wait for gdb's `target remote localhost:PORT` and let it rule the machine").argParser(
      integer(0, 65535),
    ),
  );
  add(
    "What is shown and written:",
    new Option("--plain", "lines with virtual time, no control sequences; the default without a terminal").default(
      false,
      "no",
    ),
    new Option("--no-panel", "the guest's console only"),
    new Option("--pace", "hold virtual time back to the wall clock; in the terminal the default once it is deployed"),
    new Option("--no-pace", "as fast as it goes"),
    new Option("--json <FILE>", "write a report; - for stdout, as its last line"),
    new Option("--trace <FILE>", "write VM entries and exits, phases, disk commands: open it at ui.perfetto.dev"),
    new Option("--save <FILE>", "write a snapshot when the run ends, or by Ctrl-A s"),
    new Option("--load <FILE>", "go on from a snapshot; the other options must be those that it was saved with"),
  );
  return command.action((image: string | undefined, given: Omit<DeployOptions, "image" | "script">) => {
    const options = { ...given, image, script };
    checkTogether(options);
    return run(options);
  });
}

/** `devirtualized`, `30s`, or a text with the escapes of C. @throws InvalidArgumentError */
export function until(text: string): Until {
  if (text === "devirtualized" || text === "power-off") return { kind: text };
  if (text === "") throw new InvalidArgumentError("An empty text is never printed.");
  if (/^\d+(\.\d+)?(ns|us|ms|s|min)$/.test(text)) return { kind: "time", time: duration(text) };
  return { kind: "text", text: unescaped(text) };
}

/** `latency=100us,threads=4`. @throws InvalidArgumentError that names the part that is wrong */
export const server = settings<ServiceCost>({
  request: ["perRequest", duration],
  latency: ["latency", duration],
  bandwidth: ["bytesPerSecond", bytes],
  threads: ["threads", integer(1, 1024)],
  queue: ["queue", integer(0, 65_536)],
});

/** @throws UserError */
function checkTogether({ gdb, script, atMost, until }: DeployOptions): void {
  if (gdb !== undefined && (script.length > 0 || atMost !== undefined || until !== undefined))
    throw new UserError(
      "--gdb does not go with --until, --expect, --type and --at-most: the debugger decides how far to run",
    );
}
