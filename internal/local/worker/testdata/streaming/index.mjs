import { app } from "../app.mjs";
import { streaming } from "../opennext.mjs";
// A minified copy of the line by which the bootstrap knows that the converter takes Buffers:
// if(Buffer.isBuffer(t))return t;if(typeof t=="string")return Buffer.from(t,e?"base64":"utf8")
export const handler = await streaming(app);
