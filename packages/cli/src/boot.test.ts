import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { castaway, folder, writeBlobs } from "./echo.test-support.ts";

const test = suite("castaway boot");
const { path, remove } = folder();
const blobs = writeBlobs(path("blobs"));
const boot = (...args: string[]) => castaway(blobs, "boot", "--plain", "--memory", "2MiB", ...args);
test.after(remove);

test("an expected text ends the run with 0; the guest's output is all that stdout shows", async () => {
  assert.equal(await boot("--expect", "hell"), { code: 0, out: "hello\r\n".slice(0, 4), err: "" });
});

test("expect, type, expect: in the order of the command line", async () => {
  const { code, out } = await boot("--expect", "hello", "--type", "ab\\x63", "--expect", "abc", "--at-most", "1s");
  assert.equal([code, out], [0, "hello\r\nabc"]);
});

test("a script that ends by typing runs until the machine is off", async () => {
  assert.equal(await boot("--expect", "hello", "--type", "q", "--at-most", "1s"), {
    code: 0,
    out: "hello\r\n",
    err: "",
  });
});

test("an expected text that never comes: 1, by the limit, by power-off", async () => {
  const late = await boot("--expect", "login:", "--at-most", "3ms");
  assert.is(late.code, 1);
  assert.is(late.err, 'castaway: "login:" was not seen within 0.003 s of virtual time (--at-most)\n');
  const off = await boot("--type", "q", "--expect", "login:");
  assert.is(off.code, 1);
  assert.is(off.err, 'castaway: the machine powered off before "login:" was seen\n');
  const over = await boot("--at-most", "2ms");
  assert.equal([over.code, over.err], [1, "castaway: 0.002 s of virtual time (--at-most) are over\n"]);
});

test("a guest that waits for what cannot come: 3", async () => {
  const { code, err } = await boot("--expect", "hello", "--type", "h");
  assert.equal([code, err], [3, "castaway: the guest waits for input, and nothing else will wake it\n"]);
});

test("the report: the last line, one JSON object, equal for equal runs", async () => {
  const args = ["--expect", "hello", "--type", "x", "--expect", "x", "--json", "-"];
  const [one, two] = [await boot(...args), await boot(...args, "--executor", "evaluator")];
  const [report, other] = [one, two].map(({ out }) => JSON.parse(out.split("\n").at(-2)!));
  assert.is(report.digest, other.digest);
  assert.is(report.instructions, other.instructions);
  assert.equal(Object.keys(report), [
    ...["stop", "exitCode", "expected", "instructions", "virtualSeconds", "hostSeconds", "mips", "digest", "devices"],
  ]);
  assert.equal(report.stop, { reason: "watch", detail: "x" });
  assert.equal(
    report.expected.map(({ text }: { text: string }) => text),
    ["hello", "x"],
  );
  assert.ok(
    report.expected[0].seenAt < report.expected[1].seenAt && report.virtualSeconds >= report.expected[1].seenAt,
  );
  const { ports, ...devices } = report.devices;
  assert.ok(ports.reads > 1 && ports.writes > 14);
  assert.equal(devices, {
    disks: [{ name: "demo disk", commands: 0, failed: 0, bytesRead: 0, bytesWritten: 0 }],
    serial: { bytesSent: 8 },
    memoryMapped: { reads: 0, writes: 0 },
    interrupts: { external: 0, nonMaskable: 0, software: 0, exceptions: 0 },
    resets: 0,
  });
  await boot("--expect", "hello", "--json", path("report.json"));
  assert.is(JSON.parse(readFileSync(path("report.json"), "utf8")).exitCode, 0);
});

test("a snapshot goes on where it was taken, in a machine of its options", async () => {
  const file = path("hello.snapshot");
  const saved = await boot(
    "--expect",
    "hello\\r\\n",
    "--cpus",
    "2",
    "--disk-timing",
    "ssd",
    "--no-msi",
    "--save",
    file,
  );
  assert.is(saved.code, 0);
  assert.match(saved.err, /^castaway: saved .*hello\.snapshot, \d+\.\d MB\n$/);
  const load = (...args: string[]) => castaway(blobs, "boot", "--plain", "--load", file, ...args);
  assert.equal(await load("--type", "on", "--expect", "on"), { code: 0, out: "on", err: "" });
  const more = await load("--memory", "4MiB", "--expect", "x");
  assert.is(more.code, 2);
  assert.match(
    more.err,
    /^castaway: saved state at memory: the snapshot is of a machine with 2097152, this one has 4194304; load it/,
  );
  writeFileSync(path("other.img"), new Uint8Array(1024).fill(1));
  const other = await load(path("other.img"));
  assert.is(other.code, 2);
  assert.match(other.err, /^castaway: saved state at disk0: [^\n]*\n$/);
  writeFileSync(path("short"), readFileSync(file).subarray(0, -20));
  const short = await castaway(blobs, "boot", "--load", path("short"), "--at-most", "1ms");
  assert.match(short.err, /^castaway: saved state: the snapshot is damaged or cut short; [^\n]*\n$/);
  const none = await castaway(blobs, "boot", "--load", path("other.img"), "--at-most", "1ms");
  assert.match(none.err, /^castaway: saved state: these bytes are no snapshot of castaway; [^\n]*\n$/);
});

test("a screenshot is a PNG; --screen without a terminal prints the screen at the end", async () => {
  const { code } = await boot("--expect", "hello", "--screenshot", path("screen.png"));
  assert.is(code, 0);
  assert.equal([...readFileSync(path("screen.png")).subarray(1, 4)], [...Buffer.from("PNG")]);
  const screen = await boot("--screen", "--at-most", "1ms");
  assert.equal([screen.code, screen.out.trim()], [1, ""]);
});

test("what cannot be written is said before the run, not after it", async () => {
  for (const option of ["--save", "--json", "--screenshot", "--pcap", "--trace"]) {
    const { code, out, err } = await boot("--expect", "hello", option, path("nowhere/file"));
    assert.equal([code, out], [2, ""]);
    assert.is(err, `castaway: cannot write ${path("nowhere/file")}: there is no such file or folder\n`);
  }
  assert.not.ok(existsSync(path("nowhere")));
});

test("--trace: a file that is whole however the run ends; one that is full ends the trace, not the run", async () => {
  const file = path("vmx.json");
  const tracks = () => JSON.parse(readFileSync(file, "utf8")).map(({ name }: { name: string }) => name);
  for (const [code, ...args] of [
    [0, "--expect", "hello"],
    [1, "--at-most", "1ms"],
    [1, "--type", "q", "--expect", "never"],
    [3, "--type", "h"],
  ] as const) {
    writeFileSync(file, "");
    assert.is((await boot("--trace", file, ...args)).code, code);
    assert.equal(tracks(), ["thread_name"]);
  }
  if (!existsSync("/dev/full")) return;
  const { code, err } = await boot("--trace", "/dev/full", "--expect", "hello");
  assert.equal([code, err], [0, "castaway: cannot write /dev/full: no space is left; the trace ends here\n"]);
});

test("--net: a card on a network, in the report and in snapshots; what it serves is given again", async () => {
  const report = async (...args: string[]) => {
    const { code, out, err } = await boot(...args, "--expect", "hello\\r\\n", "--at-most", "1s", "--json", "-");
    assert.is(code, 0, err);
    return JSON.parse(out.trimEnd().split("\n").at(-1)!);
  };
  assert.not("network" in (await report()));
  const { network, devices } = await report("--net", "--nics", "2");
  assert.equal([network.cables.length, network.aoe, network.leases], [2, null, []]);
  assert.equal([network.cables[0].toNetwork.sentFrames, network.tftp.requests, devices.disks.length], [0, 0, 1]);
  writeFileSync(path("served.img"), new Uint8Array(1024));
  const [pcap, file] = [path("lan.pcapng"), path("net.snapshot")];
  const served = ["--boot", "network", "--aoe", path("served.img"), "--link", "loss=1%"];
  const alone = await report(...served, "--pcap", pcap, "--save", file);
  assert.equal([alone.devices.disks, alone.network.aoe.requests.read], [[], 0]);
  assert.is(readFileSync(pcap).readUInt32LE(0), 0x0a0d0d0a);
  const load = (...args: string[]) => castaway(blobs, "boot", "--plain", "--load", file, "--at-most", "1ms", ...args);
  assert.match((await load("--aoe", path("served.img"))).err, /^castaway: 0.001 s of virtual time/);
  const without = await load();
  assert.is(without.code, 2);
  assert.match(without.err, /^castaway: saved state at /);
  assert.match((await load("--aoe", path("served.img"), "--link", "loss=2%")).err, /^castaway: saved state at link: /);
});

test("what the user did wrong is one line, and 2", async () => {
  const cases: [args: string[], line: RegExp][] = [
    [["--memory", "12"], /^castaway: --memory: "12" is not possible; allowed: a number of bytes, or a text such as/],
    [["--memory", "9GiB"], /^castaway: --?memory: /],
    [["--cpus", "17"], /^castaway: option '--cpus <N>' argument '17' is invalid\. Allowed: 1 to 16\./],
    [
      ["--model", "z80"],
      /^castaway: option '--model <NAME>' argument 'z80' is invalid\. Allowed choices are westmere, /,
    ],
    [["--at-most", "60"], /^castaway: option '--at-most <TIME>' .* Write a number and a unit, such as "60s"/],
    [["--expect", "\\q"], /^castaway: option '--expect <TEXT>' .* "\\q" is no escape; write "\\\\" for a backslash/],
    [["--exepct", "x"], /^castaway: unknown option '--exepct'\n\(Did you mean --expect\?\)/],
    [["a.img", "b.img"], /^castaway: too many arguments for 'boot'/],
    [["--write"], /^castaway: --write needs an image of your own: the demo disk is compressed/],
    [["--no-display", "--screen"], /^castaway: --no-display does not go with --screen: there is no screen/],
    [["--gdb", "1234", "--expect", "x"], /^castaway: --gdb does not go with --expect/],
    [["--nics", "3"], /^castaway: option '--nics <N>' argument '3' is invalid\. Allowed: 1 to 2\./],
    [["--mac", "01:02:03:04:05:06"], /^castaway: --mac: "01:02:03:04:05:06" is not possible; allowed: six bytes/],
    [["--mac", "52:54:00:00:00:01"], /^castaway: --mac: .* an address that no server of the network has/],
    [["--boot-file", "a"], /^castaway: --boot-file a needs --tftp FOLDER/],
    [["--boot-file", "a", "--tftp", path(".")], /^castaway: --boot-file: there is no file a in /],
    [["--tftp", path("none")], /^castaway: cannot read .*none: there is no such file or folder/],
    [["--aoe", path("none.img")], /^castaway: cannot read .*none\.img: there is no such file or folder/],
    [["--aoe", "1.255=a"], /^castaway: option '--aoe .* A shelf is 0 to 65534, a slot 0 to 254\./],
    [["--link", "mtu=100"], /^castaway: --link mtu: 100 /],
    [["--link", "latency=11s"], /^castaway: --link latency: .* at most 10 s/],
    [["--boot", "floppy"], /^castaway: option '--boot <ORDER>' argument 'floppy' is invalid\. Write "disk", "network"/],
    [[path("none.img")], /^castaway: cannot read .*none\.img: there is no such file or folder/],
  ];
  for (const [args, line] of cases) {
    const { code, err } = await castaway(blobs, "boot", "--at-most", "1ms", ...args);
    assert.is(code, 2, args.join(" "));
    assert.match(err, line);
    assert.not.match(err, /\n +at /);
  }
});

test("help shows examples and exit codes; no command, or an unknown one, is 2", async () => {
  const help = await castaway(blobs, "boot", "--help");
  assert.is(help.code, 0);
  assert.match(help.out, /Examples:\n +castaway boot .*[\s\S]*Exit codes:\n +0 /);
  assert.is((await castaway(blobs)).code, 2);
  const unknown = await castaway(blobs, "bot");
  assert.equal([unknown.code, unknown.err], [2, "castaway: unknown command 'bot'\n(Did you mean boot?)\n"]);
});

test.run();
