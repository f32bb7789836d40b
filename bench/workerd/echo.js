const headers = { "content-type": "application/octet-stream" };

export default {
  fetch(request) {
    return new Response(request.body, { headers });
  },
};
