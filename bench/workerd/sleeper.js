const headers = { "content-type": "application/json" };

export default {
  async fetch() {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return new Response('{"slept_ms":100}\n', { headers });
  },
};
