package raft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// A snapshot on a disk is a file of its own:
//
//	magic, length of the metadata, metadata, data, CRC-32C of the above
const snapshotMagic = "muster-snapshot 1\n"

func snapshotName(term, index uint64) string { return fmt.Sprintf("snapshot-%016x-%016x", term, index) }

func writeSnapshot(dir string, snap *pb.Snapshot) error {
	meta, err := proto.Marshal(snap.GetMetadata())
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint32([]byte(snapshotMagic), uint32(len(meta)))
	head = append(head, meta...)
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, snap.GetData())
	name := snapshotName(snap.GetMetadata().GetTerm(), snap.GetMetadata().GetIndex())
	file, err := writeFile(filepath.Join(dir, name), head, snap.GetData(), binary.BigEndian.AppendUint32(nil, sum))
	if err != nil {
		return err
	}
	return file.Close()
}

func readSnapshot(dir string, term, index uint64) (*pb.Snapshot, error) {
	name := snapshotName(term, index)
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) { // the directory was copied in part
		return nil, fmt.Errorf("%w: %s", err, damageAdvice)
	}
	if err != nil {
		return nil, err
	}
	snap, err := parseSnapshot(data)
	if err == nil && (snap.GetMetadata().GetIndex() != index || snap.GetMetadata().GetTerm() != term) {
		err = errMalformed
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", name, err, damageAdvice)
	}
	return snap, nil
}

func parseSnapshot(data []byte) (*pb.Snapshot, error) {
	body := len(data) - crc32.Size
	if body < len(snapshotMagic)+4 || !bytes.HasPrefix(data, []byte(snapshotMagic)) ||
		crc32.Checksum(data[:body], castagnoli) != binary.BigEndian.Uint32(data[body:]) {
		return nil, fmt.Errorf("%w: wrong checksum", errMalformed)
	}
	rest := data[len(snapshotMagic):body]
	size := binary.BigEndian.Uint32(rest)
	if rest = rest[4:]; uint64(size) > uint64(len(rest)) {
		return nil, errMalformed
	}
	snap := &pb.Snapshot{Metadata: &pb.SnapshotMetadata{}, Data: rest[size:]}
	if err := proto.Unmarshal(rest[:size], snap.GetMetadata()); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return snap, nil
}
