process.stdout.write(`${process.pid}\n`);
export const handler = () => {};
