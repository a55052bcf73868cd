setInterval(() => {}, 1000); console.log("still thinking"); await new Promise(() => {}); export const handler = 1;
