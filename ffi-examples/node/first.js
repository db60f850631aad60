// Sends what it is given as arguments, and receives it again: node first.js QUEUE [TEXT...]
import { Queue } from './slipring.js';

const [name, ...texts] = process.argv.slice(2);
const queue = Queue.openOrCreate(name, { capacity: 1 << 20 });
const producer = queue.producer();
const consumer = queue.consumer('default');
for (const text of texts) {
  await producer.send(text, { event: 'greeting' });
}
for (let message; (message = consumer.tryReceive()); ) {
  console.log(message.event, message.deliveries, message.payload.toString());
  message.ack();
}
consumer.close();
producer.close();
queue.close();
