#include <benchmark/benchmark.h>

#include "contract/data_input.h"
#include "contract/test_call.h"

namespace funcd::contract {
namespace {

using registry::ContractKind;

constexpr std::string_view kOutput =
    R"({"name":"zztkm","age":20,"description":"This is a description"})";
constexpr std::string_view kItem = R"({"title":"Item","type":"object","properties":{
    "name":{"type":"string"},"age":{"type":"integer"},"description":{"type":"string"}},
    "required":["name","age","description"]})";

TestCall call_of(ContractKind contract, std::string_view query) {
  TestCall test;
  test.revision.contract = contract;
  test.revision.manifest.input = {{"name", "\"zztkm\""}, {"age", "20"}};
  test.head.query = query;
  test.fields = {{"Host", "127.0.0.1:8000"}, {"User-Agent", "bench"}, {"Accept", "*/*"}};
  return test;
}

void prepare_again_and_again(benchmark::State& state, ContractKind contract,
                             std::string_view query) {
  TestCall test = call_of(contract, query);
  const Call call = test.call();
  for (auto _ : state) benchmark::DoNotOptimize(prepare(call));
}

void shape_again_and_again(benchmark::State& state, std::string_view schema) {
  TestCall test = call_of(ContractKind::data, "");
  if (!schema.empty()) test.set_schema(test.revision.response_schema, schema);
  const Call call = test.call();
  const engine::Ending ending;
  storage::KvChange kv;
  for (auto _ : state) benchmark::DoNotOptimize(shape(call, ending, std::string(kOutput), kv));
}

void BM_PrepareData(benchmark::State& state) {
  prepare_again_and_again(state, ContractKind::data, "");
}
BENCHMARK(BM_PrepareData);

void BM_PrepareDataOfTwoKeys(benchmark::State& state) {
  prepare_again_and_again(state, ContractKind::data, "name=ada&age=36");
}
BENCHMARK(BM_PrepareDataOfTwoKeys);

void BM_PrepareAuto(benchmark::State& state) {
  prepare_again_and_again(state, ContractKind::automatic, "");
}
BENCHMARK(BM_PrepareAuto);

void BM_ShapeData(benchmark::State& state) {
  shape_again_and_again(state, "");
}
BENCHMARK(BM_ShapeData);

void BM_ShapeDataWithSchema(benchmark::State& state) {
  shape_again_and_again(state, kItem);
}
BENCHMARK(BM_ShapeDataWithSchema);

}  // namespace
}  // namespace funcd::contract

BENCHMARK_MAIN();
