package images

import (
	"encoding/binary"
	"slices"
)

// heif is what the index of a HEIC file says of its pictures. Only the largest part of the format that real files use
// is read; a file whose index cannot be followed has no further facts.
type heif struct {
	primary  uint32
	items    map[uint32]heifItem
	refs     []heifRef
	order    []uint32
	property [][]byte // with their headers
	has      map[uint32][]int
}

type heifItem struct {
	kind   string
	hidden bool
}

type heifRef struct {
	kind string
	from uint32
	to   []uint32
}

// boxes calls do for each box of data, until it returns false or the data ends.
func boxes(data []byte, do func(kind string, body []byte, all []byte) bool) {
	for len(data) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(data)), uint64(8)
		switch {
		case size == 1 && len(data) >= 16:
			size, head = binary.BigEndian.Uint64(data[8:]), 16
		case size == 0:
			size = uint64(len(data))
		}
		if size < head || size > uint64(len(data)) {
			return
		}
		if !do(string(data[4:8]), data[head:size], data[:size]) {
			return
		}
		data = data[size:]
	}
}

func parseHEIF(data []byte) *heif {
	h := &heif{items: map[uint32]heifItem{}, has: map[uint32][]int{}}
	boxes(data, func(kind string, body, _ []byte) bool {
		if kind != "meta" || len(body) < 4 {
			return true
		}
		boxes(body[4:], func(kind string, body, _ []byte) bool {
			h.read(kind, &bytesReader{data: body})
			return true
		})
		return false
	})
	return h
}

func (h *heif) read(kind string, r *bytesReader) {
	switch kind {
	case "pitm":
		h.primary = r.id(r.version() > 0)
	case "iinf":
		if r.version() == 0 {
			r.uint(2)
		} else {
			r.uint(4)
		}
		boxes(r.data, func(_ string, body, _ []byte) bool {
			h.readItem(&bytesReader{data: body})
			return len(h.items) < 100_000
		})
	case "iref":
		long := r.version() > 0
		boxes(r.data, func(kind string, body, _ []byte) bool {
			refs := &bytesReader{data: body}
			ref := heifRef{kind: kind, from: refs.id(long)}
			for range refs.uint(2) {
				to := refs.id(long)
				if refs.failed {
					break
				}
				ref.to = append(ref.to, to)
			}
			h.refs = append(h.refs, ref)
			return len(h.refs) < 100_000
		})
	case "iprp":
		boxes(r.data, func(kind string, body, _ []byte) bool {
			if kind == "ipco" {
				boxes(body, func(_ string, _, all []byte) bool {
					h.property = append(h.property, all)
					return len(h.property) < 100_000
				})
			}
			if kind == "ipma" {
				h.readAssociations(&bytesReader{data: body})
			}
			return true
		})
	}
}

func (h *heif) readItem(r *bytesReader) {
	version := r.version()
	if version < 2 {
		return
	}
	id := r.id(version > 2)
	r.uint(2) // protection
	kind := r.bytes(4)
	if r.failed {
		return
	}
	h.items[id] = heifItem{kind: string(kind), hidden: r.flags&1 != 0}
	h.order = append(h.order, id)
}

func (h *heif) readAssociations(r *bytesReader) {
	long := r.version() > 0
	for range r.uint(4) {
		id := r.id(long)
		for range r.uint(1) {
			index := int(r.uint(1) & 0x7f)
			if r.flags&1 != 0 {
				index = index<<8 | int(r.uint(1))
			}
			if index > 0 && index <= len(h.property) {
				h.has[id] = append(h.has[id], index-1)
			}
		}
		if r.failed {
			return
		}
	}
}

// properties are the bodies of the boxes of a kind that an item has.
func (h *heif) properties(id uint32, kind string) [][]byte {
	var out [][]byte
	for _, i := range h.has[id] {
		if box := h.property[i]; string(box[4:8]) == kind {
			out = append(out, box[8:])
		}
	}
	return out
}

// tiles are the items that a picture is put together from; a picture of one piece is its own.
func (h *heif) tiles(id uint32) []uint32 {
	for _, ref := range h.refs {
		if ref.kind == "dimg" && ref.from == id && len(ref.to) > 0 {
			return ref.to
		}
	}
	return []uint32{id}
}

// profile is that of the picture, or of its tiles.
func (h *heif) profile() []byte {
	for _, id := range append([]uint32{h.primary}, h.tiles(h.primary)[0]) {
		for _, colr := range h.properties(id, "colr") {
			if len(colr) > 4 && (string(colr[:4]) == "prof" || string(colr[:4]) == "rICC") {
				return colr[4:]
			}
		}
	}
	return nil
}

// plainColours reports whether the picture's YCbCr is that of JPEG (BT.601, of full range), which is what decoders of Go
// take it for; a file that does not say is taken to be so.
func (h *heif) plainColours() bool {
	for _, id := range append([]uint32{h.primary}, h.tiles(h.primary)[0]) {
		for _, colr := range h.properties(id, "colr") {
			if len(colr) < 11 || string(colr[:4]) != "nclx" {
				continue
			}
			matrix, fullRange := binary.BigEndian.Uint16(colr[8:]), colr[10]&0x80 != 0
			return fullRange && slices.Contains([]uint16{2, 5, 6}, matrix)
		}
	}
	return true
}

// pictures is how many pictures a viewer would show.
func (h *heif) pictures() int {
	part := map[uint32]bool{}
	for _, ref := range h.refs {
		switch ref.kind {
		case "dimg":
			for _, id := range ref.to {
				part[id] = true
			}
		case "thmb", "auxl", "cdsc":
			part[ref.from] = true
		}
	}
	count := 0
	for _, id := range h.order {
		item := h.items[id]
		if !part[id] && !item.hidden && slices.Contains([]string{"hvc1", "grid", "iovl", "iden", "av01", "jpeg"}, item.kind) {
			count++
		}
	}
	return max(count, 1)
}

// alpha reports whether the picture has a layer of transparency.
func (h *heif) alpha() bool {
	for _, ref := range h.refs {
		if ref.kind != "auxl" || !slices.Contains(ref.to, h.primary) {
			continue
		}
		for _, aux := range h.properties(ref.from, "auxC") {
			name, _, _ := cutNull(aux[min(4, len(aux)):])
			if name == "urn:mpeg:hevc:2015:auxid:1" || name == "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha" {
				return true
			}
		}
	}
	return false
}

func cutNull(b []byte) (string, []byte, bool) {
	i := slices.Index(b, 0)
	if i < 0 {
		return string(b), nil, false
	}
	return string(b[:i]), b[i+1:], true
}

// depth is the number of bits of a channel; 0 where the file does not say.
func (h *heif) depth() int {
	for _, id := range append([]uint32{h.primary}, h.tiles(h.primary)[0]) {
		for _, pixi := range h.properties(id, "pixi") {
			if len(pixi) >= 6 && pixi[4] > 0 {
				return int(pixi[5])
			}
		}
	}
	return 0
}

// exif reports whether there is a block of a camera's metadata.
func (h *heif) exif() bool {
	for _, item := range h.items {
		if item.kind == "Exif" {
			return true
		}
	}
	return false
}

// bytesReader reads numbers; behind the end they are 0.
type bytesReader struct {
	data   []byte
	flags  uint32
	failed bool
}

func (r *bytesReader) bytes(n int) []byte {
	if len(r.data) < n {
		r.failed, r.data = true, nil
		return make([]byte, n)
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *bytesReader) uint(n int) uint32 {
	value := uint32(0)
	for _, b := range r.bytes(n) {
		value = value<<8 | uint32(b)
	}
	return value
}

func (r *bytesReader) id(long bool) uint32 {
	if long {
		return r.uint(4)
	}
	return r.uint(2)
}

// version reads the head of a full box, whose flags it keeps.
func (r *bytesReader) version() uint32 {
	head := r.uint(4)
	r.flags = head & 0xffffff
	return head >> 24
}
