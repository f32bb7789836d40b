#include "engine/http_fixture.h"
#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

using ::testing::HasSubstr;

std::string component(std::string_view text) {
  const auto wasm = engine::Engine::wasm_from_text(text);
  EXPECT_TRUE(wasm) << wasm.error().message;
  return std::string(wasm->begin(), wasm->end());
}

TEST_F(RegistryTest, AComponentThatIsNotServedSaysWhy) {
  folder_.write("none.wasm", component("(component)"));
  folder_.write("old.wasm",
                component(R"((component (import "wasi:http/types@0.1.0" (instance))))"));
  build();
  EXPECT_THAT(state_of("none"), HasSubstr("failed: none.wasm: is a component, but it exports "
                                          "neither wasi:http/incoming-handler@0.2"));
  EXPECT_THAT(state_of("old"), HasSubstr("it is built for wasi:http/types@0.1.0; served are"));
}

TEST_F(RegistryTest, AComponentIsServedUnderItsContract) {
  const std::string hello = component(engine::http_component(""));
  folder_.write("hello.wasm", hello);
  folder_.write("checked.wasm", hello);
  folder_.write("checked.toml", "[request]\nschema = \"in.schema.json\"\n");
  folder_.write("in.schema.json", "{}");
  build();
  EXPECT_EQ(state_of("hello"), "live");
  EXPECT_THAT(state_of("checked"), HasSubstr("remove [request] schema from checked.toml"));
}

TEST_F(RegistryTest, WhatASidecarSaysToAnotherContractIsAnError) {
  folder_.write("data.wasm", component(engine::http_component("")));
  folder_.write("data.toml", "[input]\nname = \"ada\"\n");
  folder_.write("store.wasm", command(1));
  folder_.write("store.toml", "[kv]\nnamespace = \"ours\"\n");
  folder_.write("worker.wasm", command(1));
  folder_.write("worker.toml", "contract = \"wws\"\n[kv]\nnamespace = \"ours\"\n");
  build();
  EXPECT_EQ(state_of("data"),
            "failed: data.wasm: is a component, which gets no DATA; remove [input] from data.toml");
  EXPECT_THAT(state_of("store"), HasSubstr("[kv] is for contract 'wws'; name that, or remove"));
  EXPECT_EQ(state_of("worker"), "live");
}

TEST_F(RegistryTest, AModuleIsNoComponentAndSendsNothing) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "contract = \"wasi-http\"\n");
  folder_.write("other.wasm", command(1));
  folder_.write("other.toml", "[outbound]\nallow = [\"https://example.com\"]\n");
  build();
  EXPECT_THAT(state_of("hello"), HasSubstr("is a module, and contract 'wasi-http' is for"));
  EXPECT_THAT(state_of("other"), HasSubstr("is a module, which can send no requests"));
}

TEST_F(RegistryTest, OnlyWhatTheStandardLetsAnswerAgainMayBeReused) {
  folder_.write("new.wasm", component(engine::http3_component("")));
  folder_.write("old.wasm", component(engine::http_component("")));
  folder_.write("command.wasm", command(1));
  for (const std::string name : {"new", "old", "command"}) {
    folder_.write(name + ".toml", "reuse = 100\n");
  }
  build();
  EXPECT_EQ(state_of("new"), "live");
  EXPECT_THAT(state_of("old"),
              HasSubstr("failed: old.wasm: is a component of wasi:http 0.2, of which each request "
                        "has an instance of its own; reuse is for components that export "
                        "wasi:http/handler@0.3: remove reuse from old.toml"));
  EXPECT_THAT(state_of("command"), HasSubstr("command.wasm: is a module, of which each request"));
  folder_.write("old.toml", "reuse = 1\n");
  build();
  EXPECT_EQ(state_of("old"), "live");
}

}  // namespace
}  // namespace funcd::registry
