export const handler = async (event) => ({ statusCode: 200, body: JSON.stringify({ orders: [], path: event.path }) });
