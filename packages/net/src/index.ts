/** The simulated network: an Ethernet in virtual time, and the hosts and servers on it. */
export {};
