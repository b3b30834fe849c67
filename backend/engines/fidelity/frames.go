package fidelity

import (
	"bytes"
	"encoding/binary"
)

// frames counts the pictures of an animation, without decoding them.
func frames(file, format string) (int, error) {
	data, err := readAll(file)
	if err != nil {
		return 0, err
	}
	switch format {
	case "gif":
		return max(1, gifFrames(data)), nil
	case "webp":
		return max(1, webpFrames(data)), nil
	default:
		return max(1, pngFrames(data)), nil
	}
}

// gifFrames follows the blocks of GIF89a, to the first that is none.
func gifFrames(data []byte) int {
	if len(data) < 13 {
		return 0
	}
	at := 13 + colours(data[10])
	count := 0
	for at < len(data) {
		switch data[at] {
		case 0x21: // extension: its label, then blocks
			at = afterBlocks(data, at+2)
		case 0x2c: // picture
			if at+10 > len(data) {
				return count
			}
			count++
			at = afterBlocks(data, at+10+colours(data[at+9])+1)
		default:
			return count
		}
	}
	return count
}

func colours(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

func afterBlocks(data []byte, at int) int {
	for at < len(data) && data[at] != 0 {
		at += int(data[at]) + 1
	}
	return at + 1
}

func webpFrames(data []byte) int {
	count := 0
	for at := 12; at+8 <= len(data); {
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		if string(data[at:at+4]) == "ANMF" {
			count++
		}
		at += 8 + size + size%2
	}
	return count
}

// pngFrames is what an animated PNG announces.
func pngFrames(data []byte) int {
	at := bytes.Index(data[:min(len(data), 1<<16)], []byte("acTL"))
	if at < 0 || at+8 > len(data) {
		return 1
	}
	return int(min(binary.BigEndian.Uint32(data[at+4:]), 1<<20))
}
