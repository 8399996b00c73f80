import { once } from "node:events";
import { connect } from "node:net";
import { Machine, Runner } from "castaway";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { UserError } from "./exit.ts";
import { GdbPort } from "./gdb.ts";

const host = { now: () => performance.now(), sleep: async () => {} };
const client = async ({ port }: GdbPort) => {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
};

test("a debugger is waited for, asks where the machine stands, and ends it", async () => {
  const machine = new Machine({ firmware: { bios: new Uint8Array(0x10000).fill(0xf4) }, memory: "2MiB" });
  const port = await GdbPort.listen(0);
  let told = 0;
  port.onConnect = () => told++;
  const [socket] = await Promise.all([client(port), port.connection()]);
  assert.ok(port.connected && told === 1);
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes;
    if (/#../.test(received)) socket.write("+$k#6b");
  });
  socket.write("$?#3f");
  const end = await port.serve(machine, new Runner(machine, host), host);
  assert.is(end?.reason, "killed");
  assert.match(received, /^\+\$T05thread:1;#/);
  assert.not.ok(port.connected);
  port.close();
});

test("a second debugger is turned away; closing the port drops the first one and ends the waiting", async () => {
  const port = await GdbPort.listen(0);
  const [first] = await Promise.all([client(port), port.connection()]);
  const second = await client(port);
  await once(
    second.on("error", () => {}),
    "close",
  );
  assert.ok(port.connected);
  const gone = once(
    first.on("error", () => {}),
    "close",
  );
  port.close();
  await gone;
  await port.connection();
});

test("a port that is taken is refused with what to do", async () => {
  const port = await GdbPort.listen(0);
  const error = await GdbPort.listen(port.port).then(
    () => null,
    (error: unknown) => error,
  );
  assert.instance(error, UserError);
  const why = "another program listens there; choose another port";
  assert.is((error as Error).message, `--gdb: port ${port.port} cannot be used: ${why}`);
  port.close();
});

test.run();
