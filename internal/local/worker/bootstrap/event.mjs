// The arguments that Lambda passes to a handler: the event (API Gateway payload format 2.0) and the
// context.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function gatewayEvent(request, id, body) {
  const mark = request.url.indexOf("?");
  const rawPath = mark < 0 ? request.url : request.url.slice(0, mark);
  const { cookie, ...headers } = request.headers;
  const now = new Date();
  const host = headers.host ?? "";
  const event = {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: mark < 0 ? "" : request.url.slice(mark + 1),
    headers,
    requestContext: {
      accountId: "anonymous",
      apiId: "anchor",
      domainName: host,
      domainPrefix: host.split(".")[0],
      http: {
        method: request.method,
        path: rawPath,
        protocol: "HTTP/1.1",
        sourceIp: request.peer,
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: id,
      routeKey: "$default",
      stage: "$default",
      time: clfTime(now),
      timeEpoch: now.getTime(),
    },
    isBase64Encoded: false,
  };
  if (cookie) event.cookies = cookie.split(/;\s*/).filter(Boolean);
  if (body.marked) event.body = body.marked;
  else if (body.buffer?.length) {
    event.body = body.buffer.toString("base64");
    event.isBase64Encoded = true;
  }
  return event;
}

function clfTime(date) {
  const two = (n) => String(n).padStart(2, "0");
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

export function lambdaContext(id, name) {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: name,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:anchor:local:function:${name}`,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? "0",
    awsRequestId: id,
    logGroupName: name,
    logStreamName: String(process.pid),
    // Lambda's longest time limit; here there is no limit to count down to.
    getRemainingTimeInMillis: () => 900_000,
    done() {},
    fail() {},
    succeed() {},
  };
}
