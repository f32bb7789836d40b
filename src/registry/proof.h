#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/folder_scan.h"
#include "registry/lazy_program.h"
#include "registry/manifest.h"
#include "registry/revision.h"

namespace funcd::registry {

// That a function went live, and what was found out on the way: enough to serve the same file under
// the same sidecar again, without reading it, and without its code in memory.
struct Proof {
  struct Artifact {
    FileStamp stamp;
    std::int64_t read_at_ns = 0;  // since the epoch; when reading it began
    std::string digest;
    std::uint64_t bytes = 0;
    bool is_reactor = false;

    // Whether a file of that stamp has the digest.
    [[nodiscard]] bool covers(const FileStamp& now) const;
  };
  Artifact artifact;

  // What became of it.
  std::string key;                     // RevisionBuilder::Outcome::key
  std::uint64_t memory_bytes_max = 0;  // under which limit it was tried
  ContractKind contract = ContractKind::automatic;
  SnapshotUse snapshot;
  CodeName code;
  ProgramFacts facts;
};

// By name of the function.
using Proofs = std::map<std::string, Proof, std::less<>>;

// As a file: a line for each, between one that names `circumstances`, all that a proof depends on
// besides, and one with the hash of the rest.
[[nodiscard]] std::string text_of(const Proofs& proofs, std::string_view circumstances);
// An error when the text is damaged. Under other circumstances it holds nothing.
[[nodiscard]] Result<Proofs> parse_proofs(std::string_view text, std::string_view circumstances);

}  // namespace funcd::registry
