import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { IsoDate } from '../../../platform/kernel/dates.js';

/** A row of `properties`. */
@Entity('properties')
export class PropertyEntity {
  @PrimaryColumn('uuid', { name: 'tenant_id' })
  tenantId!: string;

  @PrimaryColumn('uuid', { name: 'property_id' })
  propertyId!: string;

  @Column('text')
  code!: string;

  @Column('text')
  name!: string;

  /** IANA name. */
  @Column('text', { name: 'time_zone' })
  timeZone!: string;

  /** ISO 4217. */
  @Column('text')
  currency!: string;

  @Column('date', { name: 'business_date' })
  businessDate!: IsoDate;

  @Column('integer')
  version!: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt!: Date;
}
