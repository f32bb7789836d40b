#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace funcd::source {

// A bucket's last good copy, in a folder that is ours alone (storage::open_private_folder):
//
//   tree/          the objects, as a folder of functions
//   incoming/      objects that are whole and not yet in the tree, and parts of some
//   listing.json   what the tree is to hold, by version and digest
//   lock           held as long as this lives
//
// A change is written to listing.json first and made in the tree then, so that whoever is killed in
// between finishes it when it opens the folder again. What is missing there, or is of another kind
// than it was made, is made anew; no link is followed. For one thread; tree_lock() is for others.
class Mirror {
 public:
  // One object as it lies in the tree.
  struct Entry {
    std::string etag;  // "" when it is not known: then it counts as changed
    std::uint64_t bytes = 0;
    std::string sha256;
    std::int64_t modified_ns = 0;  // of its file
  };
  // By path in the tree.
  using Entries = std::map<std::string, Entry, std::less<>>;

  // Opens or makes the copy of a bucket below `folder`; a second one where another process holds
  // the first. `source` names the bucket.
  [[nodiscard]] static Result<std::unique_ptr<Mirror>> open(const std::string& folder,
                                                            const std::string& source);

  [[nodiscard]] const std::string& tree() const { return tree_; }
  [[nodiscard]] const Entries& entries() const { return entries_; }
  // Whether the file is as it was put there, as far as its size and time tell.
  [[nodiscard]] bool has_whole(const Entries::value_type& entry) const;
  // When the bucket was last seen whole; nothing when it never was: the tree is empty then.
  [[nodiscard]] std::optional<std::chrono::system_clock::time_point> synced_at() const {
    return synced_at_;
  }
  // Makes again what somebody has removed or replaced meanwhile: before each look. The tree comes
  // back with its content, by apply(): empty, it would be a folder whose functions are all gone.
  // An error when another server has the copy by now.
  [[nodiscard]] Result<> mend();

  // Held while the tree changes. Whoever reads it as a whole holds it as well.
  [[nodiscard]] std::mutex& tree_lock() { return tree_lock_; }

  // Where that version of an object is put together, and where it lies once it is whole.
  [[nodiscard]] std::string part_path(const std::string& path, const std::string& etag) const;
  [[nodiscard]] std::string whole_path(const std::string& path, const std::string& etag) const;

  // An object that lies whole at whole_path().
  struct Arrival {
    std::string path;
    Entry entry;
  };
  // Makes the tree what the bucket was seen to hold.
  [[nodiscard]] Result<> apply(const std::vector<Arrival>& arrivals,
                               const std::vector<std::string>& removed);
  // The bucket was seen whole, now.
  void note_synced();
  // Removes what is in incoming/ but for these, as far as they are files.
  void clean_incoming(const std::vector<std::string>& kept) const;

 private:
  Mirror() = default;
  // Whether the copy is ours now; not while another server has it.
  [[nodiscard]] Result<bool> take_lock();
  [[nodiscard]] bool has_lock() const;
  [[nodiscard]] Result<> recover();
  [[nodiscard]] Result<> read_listing();
  void adopt_tree();
  void check_entries();
  void remove_strangers();
  [[nodiscard]] Result<> write_listing() const;
  [[nodiscard]] Result<> place(const Arrival& arrival);
  [[nodiscard]] Result<> make_way(const std::string& path) const;
  [[nodiscard]] bool is_below_folders(const std::string& path) const;
  void unlink_path(const std::string& path) const;

  std::string folder_;
  std::string listing_;
  std::string tree_;
  std::string incoming_;
  std::string source_;
  Descriptor lock_;
  std::mutex tree_lock_;
  Entries entries_;
  std::optional<std::chrono::system_clock::time_point> synced_at_;
};

// SHA-256 of a file's content, in hex, and its stamp.
struct FileDigest {
  std::string sha256;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
};
[[nodiscard]] Result<FileDigest> digest_of_file(const std::string& path);

}  // namespace funcd::source
