/** The bytes of primes.s, as the GNU assembler makes them. */
const HEX =
  "bf00001000b940420f0031c0f3aabf00001000be02000000803c3700751a41ffc089f0480fafc0483d40420f007309c6" +
  "0407014801f0ebefffc681fe40420f0072d641b90a000000ffce803c370075f889f0e81a000000b020e6e941ffc975e8" +
  "b00ae6e94489c0e805000000b00ae6e9f4bb0a00000031c931d2f7f383c23052ffc185c075f258e6e9ffc975f9c3";

export const primes: Uint8Array = Uint8Array.from(HEX.match(/../g)!, (byte) => Number.parseInt(byte, 16));
