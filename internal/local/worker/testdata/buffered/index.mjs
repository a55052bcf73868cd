import { app } from "../app.mjs";
import { buffered } from "../opennext.mjs";
export const handler = await buffered(app);
