// A WebSocket connection between a client and the host to which a rewrite leads.
import { pipeline, Writable } from "node:stream";

// Fields of the connection to the host, not of the one to the client.
const OF_CONNECTION = ["connection", "upgrade", "keep-alive", "content-length", "transfer-encoding"];

// Sends the 101 of the host and forwards octets in both directions until either side ends. head is
// what has arrived behind the 101. closed is called once, at the end.
export function openTunnel(request, reply, answer, socket, head, closed) {
  const fields = [];
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i].toLowerCase();
    if (!OF_CONNECTION.includes(name)) fields.push([name, answer.rawHeaders[i + 1]]);
  }
  reply.setHead({ status: 101, fields, switches: true });
  reply.flushHead();
  if (head.length > 0) socket.unshift(head);
  socket.setNoDelay(true);
  const client = new Writable({
    write: (chunk, _encoding, callback) => reply.write(chunk, callback),
    final: (callback) => (reply.end(), callback()),
  });
  // A half that breaks takes the other with it; one that ends leaves it open.
  pipeline(request, socket, (err) => err && socket.destroy());
  pipeline(socket, client, (err) => {
    if (err) reply.breakOff();
    socket.destroy();
    closed();
  });
}
