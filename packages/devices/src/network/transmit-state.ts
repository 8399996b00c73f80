/** What the transmitter saves: its contexts, the descriptor under way, and the frame that is being gathered. */
import { bytes, flag, natural, nullable, record, type StateOf, timerState, u8, u16 } from "@castaway/kit";
import { descriptorBytes } from "./descriptor.ts";
import { contextState } from "./offload.ts";

const frameState = record({
  /** The bytes so far: when segmenting, the headers' prototype and the piece of payload that is being gathered. */
  bytes: bytes(),
  /** What cuts it into segments; null if it is sent as it is. */
  context: nullable(contextState),
  /** POPTS of the first descriptor; its VLAN tag if segmenting; null: none. */
  options: u8,
  tag: nullable(u16),
  /** Segments sent, and the payload in them. */
  segments: natural,
  sent: natural,
  /** It grew longer than any frame: it will not be sent. */
  spoiled: flag,
});

export const transmitState = record({
  plain: contextState,
  large: contextState,
  /** The descriptor under way, and how many of its bytes have been taken. */
  current: nullable(bytes(descriptorBytes)),
  taken: natural,
  frame: nullable(frameState),
  turn: timerState,
});
export type FrameState = StateOf<typeof frameState>;
export type TransmitState = StateOf<typeof transmitState>;
