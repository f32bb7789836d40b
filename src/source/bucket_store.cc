#include "base/file.h"
#include "source/object_path.h"
#include "source/object_store.h"

namespace funcd::source {
namespace {

class BucketStore final : public ObjectStore {
 public:
  BucketStore(S3Endpoint endpoint, const Environment& environment, const std::string& profile)
      : credentials_(environment, profile,
                     [this](const WebRequest& request) { return web_.send(request, {}); }),
        prefix_(endpoint.location.prefix),
        client_(std::move(endpoint), credentials_, {}) {}

  Result<std::optional<Stored>> get(const std::string& path, std::uint64_t bytes_max) override {
    auto text = client_.get_text(prefix_ + path, bytes_max);
    if (!text) return fail("{}", text.error().message);
    if (!*text) return std::nullopt;
    return Stored{.bytes = Bytes((*text)->text.begin(), (*text)->text.end()),
                  .version = (*text)->etag};
  }

  // Nothing is read where it stands in the metadata, as it does of what was deployed.
  Result<std::optional<std::string>> digest_of(const std::string& path,
                                               std::uint64_t bytes_max) override {
    auto head = client_.head(prefix_ + path);
    if (!head) return fail("{}", head.error().message);
    if (!*head) return std::nullopt;
    if (!(*head)->sha256.empty()) return (*head)->sha256;
    return ObjectStore::digest_of(path, bytes_max);
  }

  Result<bool> put_if(const std::string& path, std::span<const std::uint8_t> bytes,
                      const std::string& version) override {
    auto done = client_.put({.key = prefix_ + path,
                             .content = bytes,
                             .if_etag = version,
                             .is_new_only = version.empty()});
    if (!done) return fail("{}", done.error().message);
    return *done;
  }

  Result<> put_once(const std::string& path, std::span<const std::uint8_t> bytes,
                    const OnProgress& on_progress) override {
    const std::string key = prefix_ + path;
    auto head = client_.head(key);
    if (!head) return fail("{}", head.error().message);
    if (*head && (*head)->bytes == bytes.size()) {
      if (on_progress) on_progress(bytes.size(), bytes.size());
      return {};
    }
    return put({.key = key, .content = bytes, .on_sent = on_progress});
  }

  // A sidecar names the module that it is for, so that a mirror takes both or neither.
  Result<> publish(std::span<const File> files) override {
    const std::string module = sha256_hex(files.back().bytes);
    for (const File& file : files) {
      S3Client::Put request{.key = prefix_ + file.path, .content = file.bytes};
      // A schema of another stem may be that of other functions too.
      const bool is_its_own = stem_of(file.path) == stem_of(files.back().path);
      if (is_its_own && &file != &files.back()) request.module_digest = module;
      TRY(put(request));
    }
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& prefix) override {
    constexpr std::size_t kObjectsMax = 10'000;
    auto objects = client_.list(prefix_ + prefix, kObjectsMax);
    if (!objects) return fail("{}", objects.error().message);
    std::vector<std::string> paths;
    for (const ObjectInfo& object : *objects) {
      std::string path = object.key.substr(prefix_.size());
      if (path.find('/', prefix.size()) == std::string::npos) paths.push_back(std::move(path));
    }
    return paths;
  }

  Result<> remove(const std::string& path) override {
    auto done = client_.remove(prefix_ + path);
    if (!done) return fail("{}", done.error().message);
    return {};
  }

 private:
  Result<> put(const S3Client::Put& request) {
    auto done = client_.put(request);
    if (!done) return fail("{}", done.error().message);
    return {};
  }

  WebClient web_;
  CredentialChain credentials_;
  std::string prefix_;
  S3Client client_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_bucket_store(const S3Location& location,
                                                       const S3Options& options,
                                                       const Environment& environment) {
  return std::make_unique<BucketStore>(TRY(resolve_endpoint(location, options, environment)),
                                       environment, options.profile);
}

}  // namespace funcd::source
