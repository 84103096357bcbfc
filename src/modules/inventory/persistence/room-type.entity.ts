import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A row of `room_types`. */
@Entity('room_types')
export class RoomTypeEntity {
  @PrimaryColumn('uuid', { name: 'tenant_id' })
  tenantId!: string;

  @PrimaryColumn('uuid', { name: 'room_type_id' })
  roomTypeId!: string;

  @Column('uuid', { name: 'property_id' })
  propertyId!: string;

  @Column('text')
  code!: string;

  @Column('text')
  name!: string;

  @Column('integer', { name: 'base_occupancy' })
  baseOccupancy!: number;

  @Column('integer', { name: 'max_occupancy' })
  maxOccupancy!: number;

  /** The number of rooms that a new night opens with. */
  @Column('integer')
  rooms!: number;

  @Column('integer')
  version!: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt!: Date;
}
