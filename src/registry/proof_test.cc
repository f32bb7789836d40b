#include "registry/proof.h"

#include <gtest/gtest.h>

namespace funcd::registry {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Proof proof_of(std::string digest) {
  Proof proof;
  proof.artifact = {.stamp = {1, 2, 3, 4 * kSecond, 5 * kSecond},
                    .read_at_ns = 100 * kSecond,
                    .digest = digest,
                    .bytes = 3,
                    .is_reactor = true};
  proof.key = "key";
  proof.memory_bytes_max = 77;
  proof.contract = ContractKind::reactor;
  proof.snapshot = {.is_wanted = true, .is_used = false, .reason = "it\thas\nlines"};
  proof.code = {std::move(digest), engine::FileAccess::mounts};
  proof.facts = {.kind = engine::ProgramKind::http_component,
                 .tier = engine::Tier::optimized,
                 .asked_before = {.clock = true, .random = false, .environment = true},
                 .memory_bytes_min = 65'536};
  return proof;
}

TEST(Proof, IsReadAsItWasWritten) {
  const Proofs proofs = {{"a", proof_of("d1")}, {"b/c", Proof()}};
  const auto read = parse_proofs(text_of(proofs, "here"), "here");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2U);
  const Proof& proof = read->at("a");
  EXPECT_EQ(proof.artifact.stamp, proof_of("d1").artifact.stamp);
  EXPECT_EQ(proof.artifact.read_at_ns, 100 * kSecond);
  EXPECT_EQ(proof.artifact.digest, "d1");
  EXPECT_EQ(proof.artifact.bytes, 3U);
  EXPECT_TRUE(proof.artifact.is_reactor);
  EXPECT_EQ(proof.key, "key");
  EXPECT_EQ(proof.memory_bytes_max, 77U);
  EXPECT_EQ(proof.contract, ContractKind::reactor);
  EXPECT_TRUE(proof.snapshot.is_wanted);
  EXPECT_FALSE(proof.snapshot.is_used);
  EXPECT_EQ(proof.snapshot.reason, "it has lines");
  EXPECT_EQ(proof.code, proof_of("d1").code);
  EXPECT_EQ(proof.facts.kind, engine::ProgramKind::http_component);
  EXPECT_EQ(proof.facts.tier, engine::Tier::optimized);
  EXPECT_TRUE(proof.facts.asked_before.clock);
  EXPECT_FALSE(proof.facts.asked_before.random);
  EXPECT_TRUE(proof.facts.asked_before.environment);
  EXPECT_EQ(proof.facts.memory_bytes_min, 65'536U);
}

TEST(Proof, OfOtherCircumstancesIsNone) {
  const auto read = parse_proofs(text_of({{"a", proof_of("d")}}, "here"), "there");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->empty());
}

TEST(Proof, DamageIsNoticedWhereverItIs) {
  const std::string text = text_of({{"a", proof_of("d1")}, {"b", proof_of("d2")}}, "here");
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(parse_proofs(damaged, "here")) << at;
    EXPECT_FALSE(parse_proofs(text.substr(0, at), "here")) << at;
  }
  EXPECT_FALSE(parse_proofs(text + "more\n", "here"));
}

TEST(Proof, CoversAFileOfItsStampOnly) {
  const Proof::Artifact artifact = proof_of("d").artifact;
  EXPECT_TRUE(artifact.covers(artifact.stamp));
  FileStamp other = artifact.stamp;
  other.changed_ns += 1;
  EXPECT_FALSE(artifact.covers(other));
  other = artifact.stamp;
  other.inode += 1;
  EXPECT_FALSE(artifact.covers(other));
}

// It may have been changed again within one step of the clock.
TEST(Proof, DoesNotCoverAFileThatWasChangedJustBeforeItWasRead) {
  Proof::Artifact artifact = proof_of("d").artifact;
  artifact.stamp.changed_ns = artifact.read_at_ns - 2 * kSecond;
  EXPECT_FALSE(artifact.covers(artifact.stamp));
  artifact.stamp.changed_ns = artifact.read_at_ns - 4 * kSecond;
  EXPECT_TRUE(artifact.covers(artifact.stamp));
}

}  // namespace
}  // namespace funcd::registry
