import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  Unique,
  UpdateDateColumn,
} from 'typeorm';

// The tables of a booking as entities: the same columns, keys and checks as ours as far as one service without a relay needs
// them. `synchronize` makes the schema.

@Entity()
export class Property {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Index()
  @Column('uuid')
  tenantId!: string;

  @Column()
  currency!: string;

  @Column('date')
  businessDate!: string;
}

@Entity()
export class RoomType {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Index()
  @Column('uuid')
  tenantId!: string;

  @Column('uuid')
  propertyId!: string;

  @ManyToOne(() => Property)
  @JoinColumn({ name: 'propertyId' })
  property?: Property;

  @Column('int')
  maxOccupancy!: number;
}

@Entity()
export class RatePlan {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Index()
  @Column('uuid')
  tenantId!: string;

  @Column('uuid')
  propertyId!: string;

  @ManyToOne(() => Property)
  @JoinColumn({ name: 'propertyId' })
  property?: Property;

  @Column('boolean', { default: true })
  active!: boolean;
}

@Entity()
export class RatePlanPrice {
  @PrimaryColumn('uuid')
  ratePlanId!: string;

  @PrimaryColumn('uuid')
  roomTypeId!: string;

  @PrimaryColumn('date')
  fromDate!: string;

  @Column('date', { nullable: true })
  toDate!: string | null;

  @Column('uuid')
  tenantId!: string;

  @Column('int')
  amountMinor!: number;

  @ManyToOne(() => RatePlan)
  @JoinColumn({ name: 'ratePlanId' })
  ratePlan?: RatePlan;

  @ManyToOne(() => RoomType)
  @JoinColumn({ name: 'roomTypeId' })
  roomType?: RoomType;
}

@Entity()
export class Guest {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Index()
  @Column('uuid')
  tenantId!: string;

  @Column()
  lastName!: string;
}

@Entity()
@Check('sold >= 0 AND sold <= rooms')
export class InventoryNight {
  @PrimaryColumn('uuid')
  roomTypeId!: string;

  @PrimaryColumn('date')
  night!: string;

  @Column('uuid')
  tenantId!: string;

  @Column('int')
  rooms!: number;

  @Column('int', { default: 0 })
  sold!: number;

  @ManyToOne(() => RoomType)
  @JoinColumn({ name: 'roomTypeId' })
  roomType?: RoomType;
}

@Entity()
@Unique(['tenantId', 'confirmationNumber'])
@Index(['tenantId', 'propertyId', 'arrival'])
@Index(['tenantId', 'guestId', 'arrival'])
@Check('arrival <= departure')
export class Reservation {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('uuid')
  tenantId!: string;

  @Column()
  confirmationNumber!: string;

  @Column()
  status!: string;

  @Column('uuid')
  propertyId!: string;

  @Column('uuid')
  roomTypeId!: string;

  @Column('uuid')
  ratePlanId!: string;

  @Column('uuid')
  guestId!: string;

  @Column('date')
  arrival!: string;

  @Column('date')
  departure!: string;

  @Column('smallint')
  adults!: number;

  @Column('smallint')
  children!: number;

  @Column('smallint')
  babies!: number;

  @Column()
  currency!: string;

  @Column('int', { array: true })
  nightlyMinor!: number[];

  @Column('varchar', { nullable: true })
  externalId!: string | null;

  @Column('int', { default: 1 })
  version!: number;

  @CreateDateColumn({ type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updatedAt!: Date;

  @ManyToOne(() => Property)
  @JoinColumn({ name: 'propertyId' })
  property?: Property;

  @ManyToOne(() => RoomType)
  @JoinColumn({ name: 'roomTypeId' })
  roomType?: RoomType;

  @ManyToOne(() => RatePlan)
  @JoinColumn({ name: 'ratePlanId' })
  ratePlan?: RatePlan;

  @ManyToOne(() => Guest)
  @JoinColumn({ name: 'guestId' })
  guest?: Guest;
}

/** Pending while `publishedAt` is null; a relay would read them in the order of their ids. */
@Entity()
@Index(['id'], { where: '"publishedAt" IS NULL' })
export class OutboxEvent {
  @PrimaryGeneratedColumn({ type: 'bigint' })
  id!: string;

  @Column('uuid')
  tenantId!: string;

  @Column()
  type!: string;

  @Column('uuid')
  aggregateId!: string;

  @Column('int')
  sequence!: number;

  @Column('json')
  data!: object;

  @Column('uuid')
  correlationId!: string;

  @CreateDateColumn({ type: 'timestamptz' })
  occurredAt!: Date;

  @Column('timestamptz', { nullable: true })
  publishedAt!: Date | null;
}

@Entity()
export class AuditEntry {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('uuid')
  tenantId!: string;

  @Column()
  actor!: string;

  @Column('inet', { nullable: true })
  ip!: string | null;

  @Column()
  action!: string;

  @Column('uuid')
  resourceId!: string;

  @Column('uuid')
  correlationId!: string;

  @Column('json')
  changes!: object;

  @CreateDateColumn({ type: 'timestamptz' })
  occurredAt!: Date;
}

/** With a key of its own, so that `save` always inserts: the unique index lets one of two twins through. */
@Entity()
@Unique(['tenantId', 'principal', 'key'])
export class IdempotencyKey {
  @PrimaryGeneratedColumn({ type: 'bigint' })
  id!: string;

  @Column('uuid')
  tenantId!: string;

  @Column()
  principal!: string;

  @Column()
  key!: string;

  @Column()
  requestHash!: string;

  @Column('json')
  answer!: object;

  @CreateDateColumn({ type: 'timestamptz' })
  createdAt!: Date;
}

export const ENTITIES = [
  Property,
  RoomType,
  RatePlan,
  RatePlanPrice,
  Guest,
  InventoryNight,
  Reservation,
  OutboxEvent,
  AuditEntry,
  IdempotencyKey,
];
