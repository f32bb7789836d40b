#include "registry/proof.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/file.h"

namespace funcd::registry {
namespace {

constexpr std::string_view kFormat = "funcd proofs 1 ";
constexpr std::string_view kHash = "sha256 ";

// The next field of a line.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}

  std::string_view text() {
    if (rest_.data() == nullptr) is_good_ = false;
    const std::size_t end = rest_.find('\t');
    const std::string_view field = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    return field;
  }
  template <class Number>
  Number number() {
    const std::string_view field = text();
    Number value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    is_good_ &= error == std::errc() && end == field.data() + field.size();
    return value;
  }
  bool flag() { return number<unsigned>() != 0; }
  template <class Enum>
  Enum word(Enum last) {
    const auto value = number<unsigned>();
    is_good_ &= value <= static_cast<unsigned>(last);
    return static_cast<Enum>(value);
  }
  // Whether there were as many as were asked for, each of its kind.
  [[nodiscard]] bool are_good() const { return is_good_ && rest_.data() == nullptr; }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

// Text that stays within its field.
std::string flat(std::string text) {
  for (char& c : text) {
    if (c == '\t' || c == '\n') c = ' ';
  }
  return text;
}

void append(std::string& text, const std::string& name, const Proof& proof) {
  const std::vector<std::string> fields = {
      name,
      fmt::to_string(proof.artifact.stamp.device),
      fmt::to_string(proof.artifact.stamp.inode),
      fmt::to_string(proof.artifact.stamp.bytes),
      fmt::to_string(proof.artifact.stamp.modified_ns),
      fmt::to_string(proof.artifact.stamp.changed_ns),
      fmt::to_string(proof.artifact.read_at_ns),
      proof.artifact.digest,
      fmt::to_string(proof.artifact.bytes),
      fmt::to_string(static_cast<int>(proof.artifact.is_reactor)),
      proof.key,
      fmt::to_string(proof.memory_bytes_max),
      fmt::to_string(static_cast<unsigned>(proof.contract)),
      fmt::to_string(static_cast<int>(proof.snapshot.is_wanted)),
      fmt::to_string(static_cast<int>(proof.snapshot.is_used)),
      flat(proof.snapshot.reason),
      proof.code.digest,
      fmt::to_string(static_cast<unsigned>(proof.code.files)),
      fmt::to_string(static_cast<unsigned>(proof.facts.kind)),
      fmt::to_string(static_cast<unsigned>(proof.facts.tier)),
      fmt::to_string(int{proof.facts.asked_before.clock} |
                     int{proof.facts.asked_before.random} << 1 |
                     int{proof.facts.asked_before.environment} << 2),
      fmt::to_string(proof.facts.memory_bytes_min)};
  text += fmt::format("{}\n", fmt::join(fields, "\t"));
}

std::optional<std::pair<std::string, Proof>> parse_line(std::string_view line) {
  Fields fields(line);
  std::pair<std::string, Proof> entry;
  entry.first = fields.text();
  Proof& proof = entry.second;
  proof.artifact.stamp.device = fields.number<std::uint64_t>();
  proof.artifact.stamp.inode = fields.number<std::uint64_t>();
  proof.artifact.stamp.bytes = fields.number<std::uint64_t>();
  proof.artifact.stamp.modified_ns = fields.number<std::int64_t>();
  proof.artifact.stamp.changed_ns = fields.number<std::int64_t>();
  proof.artifact.read_at_ns = fields.number<std::int64_t>();
  proof.artifact.digest = fields.text();
  proof.artifact.bytes = fields.number<std::uint64_t>();
  proof.artifact.is_reactor = fields.flag();
  proof.key = fields.text();
  proof.memory_bytes_max = fields.number<std::uint64_t>();
  proof.contract = fields.word(ContractKind::reactor);
  proof.snapshot.is_wanted = fields.flag();
  proof.snapshot.is_used = fields.flag();
  proof.snapshot.reason = fields.text();
  proof.code.digest = fields.text();
  proof.code.files = fields.word(engine::FileAccess::mounts);
  proof.facts.kind = fields.word(engine::ProgramKind::other_component);
  proof.facts.tier = fields.word(engine::Tier::optimized);
  const auto asked = fields.number<unsigned>();
  proof.facts.asked_before = {
      .clock = (asked & 1) != 0, .random = (asked & 2) != 0, .environment = (asked & 4) != 0};
  proof.facts.memory_bytes_min = fields.number<std::uint64_t>();
  if (!fields.are_good()) return std::nullopt;
  return entry;
}

}  // namespace

bool Proof::Artifact::covers(const FileStamp& now) const {
  return stamp == now && stamp.is_settled(read_at_ns);
}

std::string text_of(const Proofs& proofs, std::string_view circumstances) {
  std::string text = fmt::format("{}{}\n", kFormat, circumstances);
  for (const auto& [name, proof] : proofs) append(text, name, proof);
  text += fmt::format("{}{}\n", kHash, sha256_hex(text));
  return text;
}

Result<Proofs> parse_proofs(std::string_view text, std::string_view circumstances) {
  const std::size_t first = text.find('\n');
  const std::size_t last = text.rfind(fmt::format("\n{}", kHash));
  if (!text.starts_with(kFormat) || last == std::string_view::npos) return fail("is not whole");
  const std::string_view hashed = text.substr(0, last + 1);
  if (text.substr(hashed.size()) != fmt::format("{}{}\n", kHash, sha256_hex(hashed))) {
    return fail("does not have its hash");
  }
  Proofs proofs;
  if (text.substr(kFormat.size(), first - kFormat.size()) != circumstances) return proofs;
  for (std::size_t begin = first + 1; begin < hashed.size();) {
    const std::size_t end = hashed.find('\n', begin);
    auto entry = parse_line(hashed.substr(begin, end - begin));
    if (!entry) return fail("has a line that cannot be understood");
    proofs.insert(std::move(*entry));
    begin = end + 1;
  }
  return proofs;
}

}  // namespace funcd::registry
