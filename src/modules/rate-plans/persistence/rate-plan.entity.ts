import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A row of `rate_plans`. */
@Entity('rate_plans')
export class RatePlanEntity {
  @PrimaryColumn('uuid', { name: 'tenant_id' })
  tenantId!: string;

  @PrimaryColumn('uuid', { name: 'rate_plan_id' })
  ratePlanId!: string;

  @Column('uuid', { name: 'property_id' })
  propertyId!: string;

  @Column('text')
  code!: string;

  @Column('text')
  name!: string;

  @Column('boolean')
  active!: boolean;

  @Column('integer')
  version!: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt!: Date;
}
