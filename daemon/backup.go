package daemon

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/trellis-project/trellis/store"
)

// A backup is a tar archive in zstd. The first entry says what it is, the last one lists the digests of all others in the
// form of sha256sum(1), so that one that was cut short or changed is known. The sealing key is in none: who finds a
// backup can't read its secrets.
const (
	backupEntry    = "backup.json"
	snapshotEntry  = "store.snapshot"
	digestsEntry   = "SHA256SUMS"
	backupFormat   = 1
	maxBackupEntry = 1 << 20 // bytes of the first and last entries, which are read into memory
)

// backupPath is where a running Trellis gives a backup, at its local socket.
const backupPath = "/backup"

// The folders of the data directory that stand beside the store.
const (
	telemetryFolder = "telemetry" // log groups, metrics, the audit trail
	bucketFolder    = "s3"        // objects
	functionFolder  = "functions" // code
)

// keptFolders are those that a backup takes with it.
var keptFolders = []string{bucketFolder, functionFolder, telemetryFolder}

// BackupInfo is what a backup says of itself.
type BackupInfo struct {
	Format   int       `json:"format"`
	Time     time.Time `json:"time"`
	Revision int64     `json:"revision"` // of the store
	Keys     int       `json:"keys"`     // in the store
	Files    int       `json:"files"`    // beside the store
}

// Backup writes a backup of data directory data: of the Trellis that runs with it, else of the directory itself, which it
// holds meanwhile. Nothing has to stop: the store is taken at one revision, and then the files beside it, of which those
// that grow are taken as far as they have come.
func Backup(ctx context.Context, data string, to io.Writer) error {
	if _, err := os.Stat(filepath.Join(data, "seal.key")); err != nil {
		return fmt.Errorf("backup: %s is no data directory of a Trellis: %w", data, err)
	}
	res, err := askLocal(ctx, data, backupPath)
	if err != nil {
		return store.Use(ctx, store.Options{Dir: data}, func(st *store.Store) error { return writeBackup(ctx, st, data, to) })
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxBackupEntry))
		return fmt.Errorf("backup: %s", strings.TrimSpace(string(text)))
	}
	if _, err := io.Copy(to, res.Body); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// serveBackup answers a backup. One that fails after it has begun is cut off, which its reader notices by the missing
// digests.
func (d *Daemon) serveBackup(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/zstd")
	if err := writeBackup(r.Context(), d.store, d.config.Data, w); err != nil {
		d.log.Error("backup failed", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// unfinished begins the names of folders of backups that are being made.
const unfinished = ".backup-"

// dropUnfinished removes what backups left whose process was killed.
func dropUnfinished(data string) {
	left, _ := filepath.Glob(filepath.Join(data, unfinished+"*")) // the pattern is a right one, unless data's name has wildcards
	for _, dir := range left {
		os.RemoveAll(dir)
	}
}

// writeBackup writes a backup of a store that runs.
func writeBackup(ctx context.Context, st *store.Store, data string, to io.Writer) error {
	tmp, err := os.MkdirTemp(data, unfinished)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.RemoveAll(tmp)
	snapshot := filepath.Join(tmp, snapshotEntry)
	f, err := os.OpenFile(snapshot, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(st.Backup(ctx, f), f.Close()); err != nil {
		return err
	}
	taken, err := store.ReadSnapshot(snapshot)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	files, err := keptFiles(data)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	compressed, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	a := archive{tar: tar.NewWriter(compressed)}
	info, err := json.Marshal(BackupInfo{backupFormat, time.Now().UTC().Truncate(time.Second), taken.Revision, taken.Keys, len(files)})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	err = a.add(backupEntry, int64(len(info)), bytes.NewReader(info))
	if err == nil {
		err = a.addFile(snapshotEntry, snapshot)
	}
	for _, name := range files {
		if err == nil {
			err = a.addFile(name, filepath.Join(data, name))
		}
	}
	if err == nil {
		err = a.add(digestsEntry, int64(a.digests.Len()), bytes.NewReader(bytes.Clone(a.digests.Bytes())))
	}
	if err := errors.Join(err, a.tar.Close(), compressed.Close()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// keptFiles lists the files of keptFolders, by paths below data.
func keptFiles(data string) (files []string, err error) {
	for _, folder := range keptFolders {
		err := filepath.WalkDir(filepath.Join(data, folder), func(p string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // none yet, or gone since
			}
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(data, p)
			files = append(files, filepath.ToSlash(name))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// archive writes entries and notes their digests.
type archive struct {
	tar     *tar.Writer
	digests bytes.Buffer
}

// add writes an entry of size bytes.
func (a *archive) add(name string, size int64, from io.Reader) error {
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	digest := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a.tar, digest), from, size); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(&a.digests, "%x  %s\n", digest.Sum(nil), name)
	return nil
}

// addFile writes a file as long as it is now, and passes over one that is gone.
func (a *archive) addFile(name, from string) error {
	f, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.add(name, info.Size(), f)
}

// Restore makes the data directory data out of a backup. data is absent or empty, but that it may hold seal.key, the sealing
// key of the Trellis that was backed up; sealKey is the path of that file when it is elsewhere. All is made beside data and
// takes its place at the end: a Restore that fails, or is ended, leaves data as it was.
func Restore(ctx context.Context, data, sealKey string, from io.Reader, log *slog.Logger) (BackupInfo, error) {
	if sealKey == "" {
		sealKey = filepath.Join(data, "seal.key")
	}
	key, err := os.ReadFile(sealKey)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("restore: the sealing key of the Trellis that was backed up is needed, which is seal.key of its data directory: %w", err)
	}
	if err := vacant(data); err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	data = filepath.Clean(data)
	if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(data), filepath.Base(data)+".restore-")
	if err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	defer os.RemoveAll(tmp)
	info, err := unpack(from, tmp)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "seal.key"), key, 0o600); err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	snapshot := filepath.Join(tmp, snapshotEntry)
	if err := store.Restore(ctx, store.Options{Dir: tmp, Log: log}, snapshot); err != nil {
		return BackupInfo{}, err
	}
	if err := os.Remove(snapshot); err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	if err := errors.Join(vacant(data), os.RemoveAll(data), os.Rename(tmp, data)); err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", err)
	}
	return info, nil
}

// RotateKey seals all secrets of a data directory with a new key: store.RotateKey. etcd are the endpoints of an etcd that
// others run, if any.
func RotateKey(ctx context.Context, data string, etcd []string) (nouns int, old string, err error) {
	return store.RotateKey(ctx, store.Options{Dir: data, Endpoints: etcd})
}

// vacant refuses a directory that holds anything but a sealing key.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "seal.key" {
			return fmt.Errorf("%s is not empty: name a directory that does not exist yet", dir)
		}
	}
	return nil
}

// errBackup is what a file is that can't be restored.
var errBackup = errors.New("this is no whole backup of a Trellis")

// unpack writes the entries of a backup below dir, and holds all of them against their digests.
func unpack(from io.Reader, dir string) (info BackupInfo, err error) {
	compressed, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return info, fmt.Errorf("%w: %w", errBackup, err)
	}
	defer compressed.Close()
	entries := tar.NewReader(compressed)
	var digests, want bytes.Buffer
	for n := 0; ; n++ {
		h, err := entries.Next()
		if err != nil {
			return info, fmt.Errorf("%w: %w", errBackup, noEOF(err))
		}
		if h.Name == digestsEntry {
			if _, err := want.ReadFrom(io.LimitReader(entries, h.Size)); err != nil {
				return info, fmt.Errorf("%w: %w", errBackup, err)
			}
			break
		}
		digest := sha256.New()
		switch {
		case (n == 0) != (h.Name == backupEntry), h.Typeflag != tar.TypeReg, !filepath.IsLocal(h.Name):
			return info, fmt.Errorf("%w: entry %q", errBackup, h.Name)
		case n == 0:
			if info, err = readInfo(io.TeeReader(io.LimitReader(entries, maxBackupEntry), digest)); err != nil {
				return info, err
			}
		default:
			if h.Name != snapshotEntry && !slices.Contains(keptFolders, strings.SplitN(path.Clean(h.Name), "/", 2)[0]) {
				return info, fmt.Errorf("%w: entry %q", errBackup, h.Name)
			}
			if err := writeEntry(filepath.Join(dir, filepath.FromSlash(h.Name)), io.TeeReader(entries, digest)); err != nil {
				return info, fmt.Errorf("%s: %w", h.Name, err)
			}
		}
		digests.WriteString(hex.EncodeToString(digest.Sum(nil)) + "  " + h.Name + "\n")
	}
	if !bytes.Equal(digests.Bytes(), want.Bytes()) {
		return info, fmt.Errorf("%w: an entry is not what its digest says", errBackup)
	}
	return info, nil
}

// noEOF is io.EOF as what it means where more was to come.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readInfo reads what a backup says of itself, and refuses one of a newer form.
func readInfo(from io.Reader) (info BackupInfo, err error) {
	text, err := io.ReadAll(from)
	if err == nil {
		err = json.Unmarshal(text, &info)
	}
	if err != nil {
		return info, fmt.Errorf("%w: %w", errBackup, err)
	}
	if info.Format != backupFormat {
		return info, fmt.Errorf("the backup has format %d, this Trellis knows %d: use the Trellis that wrote it", info.Format, backupFormat)
	}
	return info, nil
}

// writeEntry makes a file that is on the disk when it returns.
func writeEntry(name string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
