// The article's function: DATA is its defaults and what the query replaces of them.
const headers = { "content-type": "application/json" };

function data(url) {
  const values = { name: "zztkm", age: 20 };
  const query = url.indexOf("?");
  if (query < 0) return values;
  for (const [key, value] of new URLSearchParams(url.slice(query))) {
    values[key] = key === "age" ? Number(value) : value;
  }
  return values;
}

export default {
  fetch(request) {
    const { name, age } = data(request.url);
    const answer = { name, age, description: "This is a description" };
    return new Response(JSON.stringify(answer), { headers });
  },
};
