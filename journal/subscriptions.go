package journal

import (
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

const (
	definitionKind = 'S'
	definitionHead = 8
)

// PutSubscription implements Log.
func (b *Bolt) PutSubscription(ctx context.Context, id string, def []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	if len(def) > MaxDefinition {
		return fmt.Errorf("%w: definition of %d bytes", ErrTooLarge, len(def))
	}
	v := make([]byte, definitionHead, definitionHead+len(def))
	v[4], v[5] = definitionKind, layoutVersion
	v = append(v, def...)
	sealValue(v, []byte(id))
	return b.change(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketSubscriptions).Put([]byte(id), v)
	}, nil)
}

// DeleteSubscription implements Log.
func (b *Bolt) DeleteSubscription(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return b.change(ctx, func(tx *bolt.Tx) error {
		if err := tx.Bucket(bucketSubscriptions).Delete([]byte(id)); err != nil {
			return err
		}
		return tx.Bucket(bucketCursors).Delete([]byte(id))
	}, nil)
}

// Subscriptions implements Log.
func (b *Bolt) Subscriptions(ctx context.Context) (subs []StoredSubscription, err error) {
	err = b.view(ctx, func(tx *bolt.Tx) error {
		cursors := tx.Bucket(bucketCursors)
		return tx.Bucket(bucketSubscriptions).ForEach(func(k, v []byte) error {
			if !valueOK(v, k, definitionKind) {
				return b.damaged(fmt.Sprintf("the definition of subscription %q", k), nil)
			}
			s := StoredSubscription{ID: string(k), Def: append([]byte{}, v[definitionHead:]...)}
			var err error
			s.Cursor, _, err = b.cursor(cursors, k)
			subs = append(subs, s)
			return err
		})
	})
	return subs, err
}

// Cursor implements Log.
func (b *Bolt) Cursor(ctx context.Context, id string) (seq Seq, ok bool, err error) {
	if err := checkID(id); err != nil {
		return 0, false, err
	}
	err = b.view(ctx, func(tx *bolt.Tx) (err error) {
		seq, ok, err = b.cursor(tx.Bucket(bucketCursors), []byte(id))
		return err
	})
	return seq, ok, err
}

func (b *Bolt) cursor(cursors *bolt.Bucket, id []byte) (Seq, bool, error) {
	v := cursors.Get(id)
	if v == nil {
		return 0, false, nil
	}
	seq, ok := decodeCursor(id, v)
	if !ok {
		return 0, false, b.damaged(fmt.Sprintf("the cursor of subscription %q", id), nil)
	}
	return seq, true, nil
}
