const headers = { "content-type": "text/plain" };

export default {
  fetch() {
    return new Response("hello", { headers });
  },
};
